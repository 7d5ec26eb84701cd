/** What happened to the person's money and messages, newest first, as it happens. */
import { useEffect, useRef } from "preact/hooks";

import { useCell } from "../cell";
import { connection, tellSeen } from "../live";
import { dateOf, full, when } from "../moment";
import { sentence } from "../sentence";
import { feed, latest } from "../stores";
import type { HubEvent } from "../types";
import { useSpeech } from "../words";
import { Card } from "./card";
import { Icon } from "./icons";
import { Listed } from "./list-state";

export function Feed({ tabs = "activity" }: { tabs?: string }) {
  const { t } = useSpeech();
  return (
    <Card title={t("feed")} tabs={tabs} class="feed" testId="feed">
      <Listed from={feed} empty={t("no_events")}>
        {(events) => <FeedList events={events} />}
      </Listed>
    </Card>
  );
}

function FeedList({ events }: { events: HubEvent[] }) {
  const { t } = useSpeech();
  const list = useRef<HTMLOListElement>(null);
  const newest = useCell(latest);
  useSeen(list, events);
  return (
    <ol ref={list} tabIndex={0} aria-label={t("feed")}>
      {events.map((event) => (
        <FeedItem key={event.id} event={event} fresh={newest?.id === event.id} />
      ))}
    </ol>
  );
}

function FeedItem({ event, fresh }: { event: HubEvent; fresh: boolean }) {
  const speech = useSpeech();
  const { text, tone, balance } = sentence(event, speech);
  return (
    <li
      class={`event ${tone} ${fresh ? "fresh" : ""}`}
      data-testid="feed-item"
      data-event={event.event}
      data-offset={event.offset}
    >
      <span class="mark">
        <Icon name={tone} />
      </span>
      <div>
        <p>{text}</p>
        <p class="meta">
          <time
            dateTime={dateOf(event.at).toISOString()}
            title={full(event.at, speech.locale)}
          >
            {when(event.at, speech.locale)}
          </time>
          {balance && <> · {balance}</>}
        </p>
      </div>
    </li>
  );
}

let seenUpTo = 0;

/**
 * Tells the hub what the person has seen: an event counts once it stood on the screen of a page
 * that was in front. Money-critical events send an SMS unless this arrives.
 */
function useSeen(list: { current: HTMLOListElement | null }, events: HubEvent[]): void {
  const { state } = useCell(connection);
  const top = events.reduce((most, { offset = 0 }) => Math.max(most, offset), 0);
  useEffect(() => {
    const first = list.current?.firstElementChild;
    if (!first || state !== "connected" || top <= seenUpTo) return;
    const tell = async () => {
      if (document.visibilityState !== "visible" || top <= seenUpTo) return;
      if (await tellSeen(top)) seenUpTo = Math.max(seenUpTo, top);
    };
    const observer = new IntersectionObserver(([entry]) => entry?.isIntersecting && void tell());
    const restart = () => {
      observer.disconnect();
      observer.observe(first);
    };
    restart();
    document.addEventListener("visibilitychange", restart);
    return () => {
      observer.disconnect();
      document.removeEventListener("visibilitychange", restart);
    };
  }, [top, state]);
}

/** A new person's stream starts from its own offsets. */
export function forgetSeen(): void {
  seenUpTo = 0;
}

/** The newest event, said once: shown where the feed is out of sight, read out by screen readers. */
export function Announcer() {
  const speech = useSpeech();
  const event = useCell(latest);
  return (
    <div class="toast" role="status" aria-live="polite">
      {event && <p key={event.id}>{sentence(event, speech).text}</p>}
    </div>
  );
}
