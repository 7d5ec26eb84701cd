/** An amount that is seen to change: the difference floats off, and the figure glows for a moment. */
import { useEffect, useRef, useState } from "preact/hooks";

import { formatMoney } from "../money";
import type { Money } from "../types";
import { useSpeech } from "../words";

export function Amount({ money, testId }: { money: Money; testId?: string }) {
  const { locale } = useSpeech();
  const before = useRef(money);
  const [change, setChange] = useState<{ by: number; turn: number } | null>(null);

  useEffect(() => {
    const by = money.amount - before.current.amount;
    const same = money.currency === before.current.currency;
    before.current = money;
    if (by === 0 || !same) return;
    setChange((last) => ({ by, turn: (last?.turn ?? 0) + 1 }));
    const timer = setTimeout(() => setChange(null), 4_000);
    return () => clearTimeout(timer);
  }, [money.amount, money.currency]);

  const by = change && { amount: Math.abs(change.by), currency: money.currency };
  return (
    <span class={`amount ${change ? (change.by > 0 ? "rose" : "fell") : ""}`}>
      <span class="figure" data-testid={testId} data-minor={money.amount} key={change?.turn}>
        {formatMoney(money, locale)}
      </span>
      {change && by && (
        <span class="change" aria-hidden="true" key={`by${change.turn}`}>
          {change.by > 0 ? "+" : "−"}
          {formatMoney(by, locale, true)}
        </span>
      )}
    </span>
  );
}
