/** Conversations with businesses and investors; one of them open, or the list. */
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

import { useCell } from "../cell";
import { watch } from "../live";
import { dateOf, full, when } from "../moment";
import { problemText } from "../problem-text";
import { route } from "../router";
import { conversations, unread } from "../stores";
import { threadOf, type Outgoing, type Thread } from "../thread";
import type { Conversation, Message, Person } from "../types";
import { useSpeech, type Speech } from "../words";
import { Card } from "./card";
import { Icon } from "./icons";
import { Listed } from "./list-state";

export function Conversations({ person }: { person: Person }) {
  const { t } = useSpeech();
  const path = useCell(route);
  const at = path.indexOf("messages");
  const base = path.slice(0, at < 0 ? path.length : at).join("/");
  const open = at < 0 ? undefined : path[at + 1];
  const known = useCell(conversations.value);
  const fresh = useCell(unread);
  const messages = `#/${base ? `${base}/` : ""}messages`;

  if (open) {
    const conversation = known?.find(({ id }) => id === open);
    return (
      <OpenThread
        key={open}
        id={open}
        title={conversation ? nameOf(conversation, person) : t("conversations")}
        person={person}
        back={messages}
      />
    );
  }
  return (
    <Card title={t("conversations")} tabs="messages" class="conversations" testId="conversations">
      <Listed from={conversations} empty={t("no_conversations")}>
        {(items) => (
          <ul class="rows">
            {items.map((conversation) => {
              const { id } = conversation;
              const count = conversation.unread;
              const isNew = fresh.has(id) || count > 0;
              return (
                <li key={id} data-testid="conversation" data-id={id}>
                  <a href={`${messages}/${id}`} class={isNew ? "new" : ""}>
                    <span class="avatar" aria-hidden="true">{initials(nameOf(conversation, person))}</span>
                    <span class="who">
                      <span>{nameOf(conversation, person)}</span>
                      <small>{conversation.subject}</small>
                    </span>
                    {isNew && <span class="badge">{t("unread", { count: count || 1 })}</span>}
                  </a>
                </li>
              );
            })}
          </ul>
        )}
      </Listed>
    </Card>
  );
}

function OpenThread({ id, title, person, back }: {
  id: string;
  title: string;
  person: Person;
  back: string;
}) {
  const { t } = useSpeech();
  const thread = threadOf(id);
  const messages = useCell(thread.messages.value);
  const outgoing = useCell(thread.outgoing);
  const end = useRef<HTMLOListElement>(null);
  const [readTo, setReadTo] = useState("");

  useEffect(() => {
    void thread.messages.refresh();
    return watch(`conversation:${id}`, {
      onEvent(event) {
        if (event.event === "message.sent") void thread.messages.refresh();
        if (event.event === "message.read" && event["reader_id"] !== person.id) {
          setReadTo((before) => (before > String(event["message_id"]) ? before : String(event["message_id"])));
        }
      },
      onGap: () => void thread.messages.refresh(),
    });
  }, [id]);

  useLayoutEffect(() => {
    const list = end.current;
    if (list) list.scrollTop = list.scrollHeight;
  }, [messages?.length, outgoing.length]);

  useEffect(() => {
    const read = () => document.visibilityState === "visible" && thread.markRead();
    read();
    document.addEventListener("visibilitychange", read);
    return () => document.removeEventListener("visibilitychange", read);
  }, [messages?.at(-1)?.id]);

  const back_link = (
    <a class="icon-button" href={back} aria-label={t("back")}>
      <Icon name="back" />
    </a>
  );
  return (
    <Card title={title} tabs="messages" class="thread" testId="thread" aside={back_link}>
      <ol ref={end} class="bubbles" aria-live="polite" tabIndex={0} aria-label={title}>
        {messages?.length === 0 && outgoing.length === 0 && (
          <li class="empty">{t("no_messages")}</li>
        )}
        {messages?.map((message) => (
          <Bubble
            key={message.id}
            message={message}
            mine={message.sender_id === person.id}
            read={message.id <= readTo}
          />
        ))}
        {outgoing.map((each) => (
          <OutgoingBubble key={each.key} outgoing={each} thread={thread} />
        ))}
      </ol>
      <Composer onSend={(text) => thread.send(text)} />
    </Card>
  );
}

function Bubble({ message, mine, read }: { message: Message; mine: boolean; read: boolean }) {
  const speech = useSpeech();
  const { sent_at: at, sent_via: via, sender_name: sender } = message;
  const facts = [viaText(via, speech), mine && read ? speech.t("read") : null];
  return (
    <li class={`bubble ${mine ? "mine" : "theirs"}`} data-testid="message" data-mine={mine}>
      {!mine && <p class="sender">{sender}</p>}
      <p class="text">{message.text}</p>
      <p class="meta" title={full(at, speech.locale)}>
        <time dateTime={dateOf(at).toISOString()}>{when(at, speech.locale)}</time>
        {facts.filter(Boolean).map((fact) => ` · ${fact}`)}
      </p>
    </li>
  );
}

function OutgoingBubble({ outgoing, thread }: { outgoing: Outgoing; thread: Thread }) {
  const speech = useSpeech();
  const { t } = speech;
  const { refused, unanswered, key, text } = outgoing;
  return (
    <li class="bubble mine on-its-way" data-testid="message" data-mine="true" data-pending="true">
      <p class="text">{text}</p>
      <p class="meta" role="status">
        {refused ? problemText(refused, speech) : unanswered ? t("not_sent") : t("sending")}
        {refused && (
          <button class="link" type="button" onClick={() => thread.drop(key)}>
            <Icon name="close" />
          </button>
        )}
      </p>
    </li>
  );
}

function Composer({ onSend }: { onSend: (text: string) => void }) {
  const { t } = useSpeech();
  const [text, setText] = useState("");
  const submit = (event: Event) => {
    event.preventDefault();
    const said = text.trim();
    if (!said) return;
    onSend(said);
    setText("");
  };
  return (
    <form class="composer" onSubmit={submit}>
      <input
        type="text"
        maxLength={1000}
        autocomplete="off"
        aria-label={t("message")}
        placeholder={t("message")}
        value={text}
        data-testid="message-text"
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <button class="primary" data-testid="send-message" aria-label={t("send")} disabled={!text.trim()}>
        <Icon name="send" />
      </button>
    </form>
  );
}

function viaText(via: Message["sent_via"], { t }: Speech): string | null {
  if (via === "sms") return t("by_sms");
  if (via === "ussd") return t("by_ussd");
  return null;
}

function nameOf(conversation: Conversation, person: Person): string {
  const others = conversation.members
    .filter(({ id }) => id !== person.id)
    .map((member) => member.display_name);
  return others.join(", ") || conversation.subject;
}

function initials(name: string): string {
  return name.split(/\s+/).slice(0, 2).map((word) => word.charAt(0)).join("").toUpperCase();
}
