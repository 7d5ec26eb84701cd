import { useCell } from "../cell";
import { dateOf, when } from "../moment";
import { formatMoney } from "../money";
import { investments } from "../stores";
import type { Investment } from "../types";
import { useSpeech, type Speech } from "../words";
import { Card } from "./card";
import { Listed } from "./list-state";

/** What the person has backed. */
export function Investments() {
  const { t, locale } = useSpeech();
  const all = useCell(investments.value) ?? [];
  const totals = new Map<string, number>();
  for (const { amount } of all) {
    totals.set(amount.currency, (totals.get(amount.currency) ?? 0) + amount.amount);
  }
  const total = [...totals]
    .map(([currency, amount]) => formatMoney({ amount, currency }, locale, true))
    .join(", ");
  return (
    <Card
      title={t("investments")}
      tabs="home"
      class="investments"
      testId="investments"
      aside={total && <p class="total" title={t("invested_in_all")}>{total}</p>}
    >
      <Listed from={investments} empty={t("no_investments")}>
        {(items) => <InvestmentList items={items} nameOf={(one) => one.offering_title} />}
      </Listed>
    </Card>
  );
}

export function InvestmentList({ items, nameOf }: {
  items: Investment[];
  nameOf: (investment: Investment) => string;
}) {
  const speech = useSpeech();
  return (
    <ul class="rows">
      {items.map((investment) => {
        const { id, amount, made_at: madeAt } = investment;
        return (
          <li key={id} data-testid="investment" data-state={investment.state}>
            <div>
              <p>{nameOf(investment)}</p>
              <p class="meta">
                {stateText(investment.state, speech)}
                {madeAt != null && (
                  <>
                    {" · "}
                    <time dateTime={dateOf(madeAt).toISOString()}>{when(madeAt, speech.locale)}</time>
                  </>
                )}
              </p>
            </div>
            <strong class="figure">{formatMoney(amount, speech.locale, true)}</strong>
          </li>
        );
      })}
    </ul>
  );
}

function stateText(state: string, { t }: Speech): string {
  if (state === "released" || state === "active") return t("state_released");
  if (state === "refunded") return t("state_refunded");
  return t("state_held");
}
