import { formatMoney, percentOf } from "../money";
import type { Money } from "../types";
import { useSpeech } from "../words";

/** A bar of how much was raised, with the figures beneath it. */
export function Progress({ raised, target }: { raised: Money; target: Money }) {
  const { t, locale } = useSpeech();
  const percent = percentOf(raised, target);
  const figures = t("raised_of", {
    raised: formatMoney(raised, locale, true),
    target: formatMoney(target, locale, true),
  });
  return (
    <div class="progress">
      <div
        class="bar"
        role="progressbar"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={percent}
        aria-valuetext={`${percent}%, ${figures}`}
      >
        {percent > 0 && <div class="fill" style={{ width: `${percent}%` }} />}
      </div>
      <p class="figures">
        <span>{figures}</span>
        <strong>{percent}%</strong>
      </p>
    </div>
  );
}
