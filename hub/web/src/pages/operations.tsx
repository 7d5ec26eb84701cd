/** What the hub is doing, for the people who run it. */
import { useEffect, useState } from "preact/hooks";

import { get, NoAnswer, Problem } from "../api";
import { watch } from "../live";
import { timeOfDay } from "../moment";
import { Card } from "../parts/card";
import { problemText } from "../problem-text";
import type { Overview } from "../types";
import { useSpeech } from "../words";

const EVERY_MS = 10_000;
const CHANNEL = "ops:payments";

export function Operations() {
  const speech = useSpeech();
  const { t, locale } = speech;
  const [facts, setFacts] = useState<Overview | null>(null);
  const [asOf, setAsOf] = useState(0);
  const [fault, setFault] = useState<unknown>(null);

  useEffect(() => {
    let over = false;
    const read = async () => {
      if (document.visibilityState === "hidden") return;
      try {
        const fresh = await get<Overview>("/v1/ops/overview");
        if (over) return;
        setFacts(fresh);
        setAsOf(Date.now());
        setFault(null);
      } catch (trouble) {
        if (!(trouble instanceof Problem) && !(trouble instanceof NoAnswer)) throw trouble;
        if (!over) setFault(trouble);
      }
    };
    void read();
    const timer = setInterval(() => void read(), EVERY_MS);
    const stop = watch(CHANNEL, { onEvent: () => void read(), onGap: () => void read() });
    return () => {
      over = true;
      clearInterval(timer);
      stop();
    };
  }, []);

  const attempts = facts?.attempts ?? [];
  const columns = attempts.some(({ cost }) => cost != null) ? 4 : 3;
  const number = (value: number) => new Intl.NumberFormat(locale).format(value);
  return (
    <div class="column whole" data-testid="operations">
      <Card
        title={t("ops_title")}
        aside={asOf > 0 && <p class="meta">{t("ops_as_of", { time: timeOfDay(asOf, locale) })}</p>}
      >
        {fault !== null && (
          <p class="wrong" role="alert">
            {problemText(fault, speech)}
          </p>
        )}
        <dl class="tiles">
          {(
            [
              [t("ops_connections"), facts?.connections],
              [t("ops_outbox"), facts?.outbox_waiting],
              [t("ops_streams"), facts?.stream_tops],
            ] as const
          ).map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value == null ? "…" : number(value)}</dd>
            </div>
          ))}
        </dl>
      </Card>
      <div class="pair">
        <Card title={t("ops_escalations")}>
          <Table
            head={[t("ops_state"), t("ops_count")]}
            rows={Object.entries(facts?.escalations ?? {}).map(([state, count]) => [state, number(count)])}
            empty={t("ops_none")}
          />
        </Card>
        <Card title={t("ops_attempts")}>
          <Table
            head={[t("ops_channel"), t("ops_state"), t("ops_count"), t("ops_cost")].slice(0, columns)}
            rows={attempts.map((attempt) =>
              [
                attempt.channel,
                attempt.state,
                number(attempt.count),
                costText(attempt),
              ].slice(0, columns),
            )}
            empty={t("ops_none")}
          />
        </Card>
      </div>
      <Card title={t("ops_recent")}>
        <Table
          head={[t("ops_at"), t("ops_kind"), t("ops_id")]}
          rows={(facts?.recent ?? []).map(({ at, kind, id }) => [timeOfDay(at, locale), kind, id])}
          empty={t("ops_none")}
        />
      </Card>
    </div>
  );
}

function costText(attempt: Overview["attempts"][number]): string {
  if (attempt.cost == null) return "";
  // Providers charge in fractions of the smallest coin: the figure is shown as it comes.
  const figure = String(attempt.cost).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
  return [attempt.currency, figure].filter(Boolean).join(" ");
}

function Table({ head, rows, empty }: { head: string[]; rows: string[][]; empty: string }) {
  return (
    <div class="scroll" tabIndex={0}>
      <table>
        <thead>
          <tr>
            {head.map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.join("|")}>
              {row.map((text, position) => (
                <td key={head[position]}>{text}</td>
              ))}
            </tr>
          ))}
          {rows.length === 0 && (
            <tr>
              <td colSpan={head.length} class="empty">
                {empty}
              </td>
            </tr>
          )}
        </tbody>
      </table>
    </div>
  );
}
