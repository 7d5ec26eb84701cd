/** The person's wallets, and putting money into them. */
import { useEffect, useRef, useState } from "preact/hooks";

import { get } from "../api";
import { useAttempt } from "../attempt";
import { useCell } from "../cell";
import { dateOf } from "../moment";
import { formatMoney } from "../money";
import { problemText } from "../problem-text";
import { payments, wallets } from "../stores";
import type { Money, Page, Payment, Person, Wallet } from "../types";
import { useSpeech } from "../words";
import { Amount } from "./amount";
import { MoneyForm } from "./money-form";

const QUICK = [1_000, 5_000, 10_000];
const DEFAULT_CURRENCY = "KES";
const STILL_WANTED_MS = 30 * 60_000;

export function Wallets({ person }: { person: Person }) {
  const { t, locale } = useSpeech();
  const known = useCell(wallets.value);
  const home = known?.find((wallet) => wallet.currency === DEFAULT_CURRENCY) ?? known?.[0];
  const currency = home?.currency ?? DEFAULT_CURRENCY;
  const shown: Pick<Wallet, "currency" | "available" | "held">[] =
    known && known.length > 0 ? known : [{ currency, available: 0, held: 0 }];
  return (
    <section class="card wallet" data-tabs="home" aria-label={t("wallet")}>
      {shown.map((wallet) => {
        const { currency, available, held } = wallet;
        return (
          <div class="purse" key={currency}>
            <h2>{t("balance")}</h2>
            <p class="sum">
              {known === null ? (
                <span class="figure waiting">…</span>
              ) : (
                <Amount
                  money={{ amount: available, currency }}
                  testId={`balance-${currency}`}
                />
              )}
            </p>
            {held > 0 && (
              <p class="held">{t("held", { amount: formatMoney({ amount: held, currency }, locale) })}</p>
            )}
          </div>
        );
      })}
      <TopUp person={person} currency={currency} />
    </section>
  );
}

function TopUp({ person, currency }: { person: Person; currency: string }) {
  const speech = useSpeech();
  const { t, locale } = speech;
  const outcomes = useCell(payments);
  const [payment, setPayment] = useState<Payment | null>(null);
  const tab = useRef<Window | null>(null);

  const attempt = useAttempt<Payment>(`top-up.${person.id}`, (answer) => {
    setPayment(answer);
    if (answer.checkout_url && tab.current) tab.current.location.href = answer.checkout_url;
    tab.current = null;
  });
  // Some phones drop this page while the checkout is in front: what waits is picked up again.
  useEffect(() => {
    const pick = ({ items: [newest] }: Page<Payment>) => {
      if (newest?.state !== "pending") return;
      const age = Date.now() - dateOf(newest.created_at).getTime();
      if (age < STILL_WANTED_MS) setPayment((present) => present ?? newest);
    };
    get<Page<Payment>>("/v1/payments").then(pick, () => undefined);
  }, []);
  const submit = (money: Money) => {
    setPayment(null);
    // Opened within the click: a browser lets no page open a tab after a network answer.
    tab.current = open("", "_blank");
    if (tab.current) {
      tab.current.opener = null;
      tab.current.document.title = t("top_up_opening");
      tab.current.document.body.textContent = t("top_up_opening");
    }
    attempt.submit("/v1/payments", { amount: money, purpose: "top_up" });
  };
  const refused = attempt.state.is === "refused" ? attempt.state.problem : null;
  if (refused && tab.current) {
    tab.current.close();
    tab.current = null;
  }

  const outcome = payment && outcomes[payment.id];
  const amount = payment ? formatMoney(payment.amount, locale, true) : "";
  return (
    <div class="top-up">
      <MoneyForm
        key={payment?.id}
        label={t("top_up_amount", { currency })}
        action={t("top_up")}
        currency={currency}
        quick={QUICK}
        busy={attempt.busy}
        inputTestId="top-up-amount"
        buttonTestId="top-up"
        fault={refused && problemText(refused, speech)}
        onEdit={attempt.clear}
        onSubmit={submit}
      />
      {attempt.state.is === "waiting" && (
        <p class="note" role="status">
          {t("no_answer_kept")}{" "}
          <button class="link" type="button" onClick={attempt.again}>
            {t("try_again")}
          </button>
        </p>
      )}
      {payment && (
        <div class={`note ${outcome ?? "pending"}`} role="status" data-testid="top-up-state">
          {outcome === "settled" && <p>{t("top_up_arrived", { amount })}</p>}
          {outcome === "failed" && <p>{t("top_up_failed")}</p>}
          {!outcome && (
            <>
              <p>
                <strong>{t("top_up_waiting", { amount })}</strong> {t("top_up_hint")}
              </p>
              {payment.checkout_url && (
                <a
                  class="button"
                  href={payment.checkout_url}
                  target="_blank"
                  rel="noopener"
                  data-testid="checkout-link"
                >
                  {t("top_up_open")}
                </a>
              )}
            </>
          )}
        </div>
      )}
    </div>
  );
}
