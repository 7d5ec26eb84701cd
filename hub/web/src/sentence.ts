/** Events as sentences a person understands. */
import { formatMoney } from "./money";
import type { HubEvent, Money } from "./types";
import type { Speech } from "./words";

/** What an event is about; decides its colour and mark in the feed. */
export type Tone = "money" | "progress" | "message" | "trouble" | "account";

export interface Sentence {
  text: string;
  tone: Tone;
  /** The balance after it, if the event tells it. */
  balance: string | null;
}

export function sentence(event: HubEvent, { t, locale }: Speech): Sentence {
  const money = (field: string) => {
    const value = event[field] as Money | undefined;
    return value ? formatMoney(value, locale, true) : "";
  };
  const word = (field: string) => String(event[field] ?? "");
  const balance = event["wallet_balance"]
    ? t("balance_now", { amount: money("wallet_balance") })
    : null;
  const says = (tone: Tone, text: string): Sentence => ({ text, tone, balance });
  const offering = word("offering_title");
  const business = word("business_name");
  const amount = money("amount");

  switch (event.event) {
    case "payment.settled":
      return says("money", t("ev_payment_settled", { amount }));
    case "payment.failed":
      return says("trouble", t("ev_payment_failed", { amount }));
    case "investment.made": {
      const [raised, target] = [money("raised"), money("target")];
      const investor = word("investor_name");
      return says("progress", t("ev_investment_made", { investor, amount, offering, raised, target }));
    }
    case "investment.confirmed":
      return says("progress", t("ev_investment_confirmed", { amount, offering }));
    case "investment.refunded":
      return says("money", t("ev_investment_refunded", { amount, offering }));
    case "offering.failed":
      return says("trouble", t("ev_offering_failed", { offering, business }));
    case "offering.funded":
      return says("progress", t("ev_offering_funded", { offering, business, raised: money("raised") }));
    case "escrow.released":
      return says("money", t("ev_escrow_released", { amount, offering, business }));
    case "message.sent": {
      const sender = word("sender_name");
      const via = event["sent_via"];
      if (via === "sms") return says("message", t("ev_message_sent_sms", { sender }));
      if (via === "ussd") return says("message", t("ev_message_sent_ussd", { sender }));
      return says("message", t("ev_message_sent", { sender }));
    }
    case "identity.signed_in":
      return says("account", t("ev_signed_in"));
    case "identity.pin_changed":
      return says("account", t("ev_pin_changed"));
    default:
      return says("account", t("ev_other", { kind: event.event.replace(/[._]/g, " ") }));
  }
}
