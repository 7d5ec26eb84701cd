/** What went wrong, in the reader's language; the hub's own sentence where no better one is known. */
import { NoAnswer, Problem } from "./api";
import type { Key, Speech } from "./words";

const WORDS: Partial<Record<string, Key>> = {
  insufficient_funds: "problem_insufficient_funds",
  sign_in_refused: "problem_code",
  kyc_required: "problem_kyc",
  limit_reached: "problem_limit",
  over_transaction_limit: "problem_limit",
  offering_closed: "problem_closed",
  too_many_requests: "problem_too_many",
};

export function problemText(fault: unknown, { t }: Speech): string {
  if (fault instanceof NoAnswer) return t("no_answer");
  if (!(fault instanceof Problem)) return t("problem_other", { detail: "" });
  const key = WORDS[fault.kind];
  // Keys in the table have no slots to fill.
  if (key) return (t as (key: Key) => string)(key);
  if (fault.status === 429) return t("problem_too_many");
  if (fault.status === 401) return t("problem_session");
  return t("problem_other", { detail: fault.detail || fault.kind });
}
