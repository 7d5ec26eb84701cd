/** Offers that can be backed, each followed live, with its form. */
import { useEffect, useState } from "preact/hooks";

import { call } from "../api";
import { useAttempt } from "../attempt";
import { useCell } from "../cell";
import { watch } from "../live";
import { ahead, dateOf } from "../moment";
import { exponentOf, formatMoney } from "../money";
import { problemText } from "../problem-text";
import { go } from "../router";
import {
  businesses,
  conversations,
  investments,
  offerings,
  readOffering,
  takeOffering,
  wallets,
} from "../stores";
import type { Conversation, Investment, Offering, Person } from "../types";
import { useSpeech } from "../words";
import { Card } from "./card";
import { Listed } from "./list-state";
import { MoneyForm } from "./money-form";
import { Progress } from "./progress";

const QUICK = [1_000, 5_000, 10_000];

export function Offers({ person }: { person: Person }) {
  const { t } = useSpeech();
  return (
    <Card title={t("offers")} tabs="home offers" class="offers">
      <Listed from={offerings} empty={t("no_offers")}>
        {(items) => (
          <div class="offer-list">
            {items.map((offering) => (
              <Offer key={offering.id} offering={offering} person={person} />
            ))}
          </div>
        )}
      </Listed>
    </Card>
  );
}

/** Follows an offering's own stream for as long as it is on the screen. */
export function useOfferingStream(id: string): void {
  useEffect(
    () =>
      watch(`offering:${id}`, {
        onEvent(event) {
          takeOffering(event);
          if (event.event === "investment.made") void readOffering(id);
        },
        onGap: () => void readOffering(id),
      }),
    [id],
  );
}

function Offer({ offering, person }: { offering: Offering; person: Person }) {
  const { t } = useSpeech();
  useOfferingStream(offering.id);
  const own = useCell(businesses.value)?.some(({ id }) => id === offering.business_id) ?? false;
  const open = offering.state === "open" && dateOf(offering.closes_at).getTime() > Date.now();
  return (
    <article class="offer" data-testid={`offer-${offering.id}`} data-state={offering.state}>
      <header>
        <h3>{offering.title}</h3>
        <p class="by">
          {offering.business_name} · {offering.sector}
        </p>
      </header>
      <p class="summary">{offering.summary}</p>
      <Progress raised={offering.raised} target={offering.target} />
      <OfferFacts offering={offering} open={open} />
      {open && !own && <Invest offering={offering} person={person} />}
      {!own && (
        <AskOwner offering={offering} label={t("ask_owner", { business: offering.business_name })} />
      )}
    </article>
  );
}

export function OfferFacts({ offering, open }: { offering: Offering; open: boolean }) {
  const { t, locale } = useSpeech();
  const { investors, rate_percent: rate, term_months: months } = offering;
  const facts: [string, string][] = [
    ["rate", t("rate", { rate })],
    ["term", t("term", { months })],
    ["backers", investors === 1 ? t("backers_one") : t("backers_other", { count: investors })],
  ];
  if (open) {
    facts.push(["from", t("minimum", { amount: formatMoney(offering.minimum, locale, true) })]);
    facts.push(["closes", t("closes", { when: ahead(offering.closes_at, locale) })]);
  } else {
    facts.push(["state", offering.state === "funded" ? t("funded") : t("closed")]);
  }
  return (
    <ul class="facts">
      {facts.map(([name, text]) => (
        <li key={name} class={name}>
          {text}
        </li>
      ))}
    </ul>
  );
}

function Invest({ offering, person }: { offering: Offering; person: Person }) {
  const speech = useSpeech();
  const { t, locale } = speech;
  const [made, setMade] = useState<Investment | null>(null);
  const { currency } = offering.target;
  const attempt = useAttempt<Investment>(`invest.${person.id}.${offering.id}`, (answer) => {
    setMade(answer);
    void Promise.all([investments.refresh(), wallets.refresh(), readOffering(offering.id)]);
  });
  const refused = attempt.state.is === "refused" ? attempt.state.problem : null;
  const unit = 10 ** exponentOf(currency);
  const quick = QUICK.filter((amount) => amount * unit >= offering.minimum.amount);
  return (
    <>
      <MoneyForm
        key={made?.id}
        label={t("invest_amount", { currency })}
        action={t("invest")}
        currency={currency}
        least={offering.minimum.amount}
        most={offering.maximum.amount - offering.raised.amount}
        quick={quick}
        busy={attempt.busy}
        inputTestId="invest-amount"
        buttonTestId="invest"
        fault={refused && problemText(refused, speech)}
        onEdit={attempt.clear}
        onSubmit={(amount) => {
          attempt.submit("/v1/investments", { offering_id: offering.id, amount });
        }}
      />
      {attempt.state.is === "waiting" && (
        <p class="note" role="status">
          {t("no_answer_kept")}{" "}
          <button class="link" type="button" onClick={attempt.again}>
            {t("try_again")}
          </button>
        </p>
      )}
      {made && !attempt.busy && !refused && (
        <p class="note settled" role="status" data-testid="invest-done">
          {t("invest_done", { amount: formatMoney(made.amount, locale, true), offering: offering.title })}
        </p>
      )}
    </>
  );
}

function AskOwner({ offering, label }: { offering: Offering; label: string }) {
  const speech = useSpeech();
  const [fault, setFault] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const ask = async () => {
    setBusy(true);
    setFault(null);
    try {
      const body = { business_id: offering.business_id };
      const conversation = await call<Conversation>("POST", "/v1/conversations", { body });
      await conversations.refresh();
      go(`messages/${conversation.id}`);
    } catch (trouble) {
      setFault(problemText(trouble, speech));
    } finally {
      setBusy(false);
    }
  };
  return (
    <p class="ask">
      <button class="link" type="button" disabled={busy} onClick={() => void ask()} data-testid="ask-owner">
        {label}
      </button>
      {fault && <span class="wrong" role="alert">{fault}</span>}
    </p>
  );
}
