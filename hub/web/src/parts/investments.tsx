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
        {(items) => <InvestmentList items={items} by="offering" />}
      </Listed>
    </Card>
  );
}

/** Investments as rows, each named by its offering, or by its investor where that is the news. */
export function InvestmentList({ items, by }: { items: Investment[]; by: "offering" | "investor" }) {
  const speech = useSpeech();
  return (
    <ul class="rows">
      {items.map((investment) => {
        const { id, amount, offering_title: offering, made_at: madeAt } = investment;
        const investor = by === "investor" ? investment.investor_name : undefined;
        return (
          <li key={id} data-testid="investment" data-state={investment.state}>
            <div>
              <p>{investor ?? offering}</p>
              <p class="meta">
                {investor !== undefined && <>{offering} · </>}
                {stateText(investment, speech)} ·{" "}
                <time dateTime={dateOf(madeAt).toISOString()}>{when(madeAt, speech.locale)}</time>
              </p>
            </div>
            <strong class="figure">{formatMoney(amount, speech.locale, true)}</strong>
          </li>
        );
      })}
    </ul>
  );
}

function stateText({ state, raised, target }: Investment, { t }: Speech): string {
  if (state === "refunded") return t("state_refunded");
  const funded = raised && target && raised.amount >= target.amount;
  return funded ? t("state_released") : t("state_held");
}
