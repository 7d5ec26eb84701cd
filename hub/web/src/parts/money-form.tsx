import { useId, useState } from "preact/hooks";

import { formatMoney, parseMoney } from "../money";
import type { Money } from "../types";
import { useSpeech } from "../words";

interface Props {
  label: string;
  action: string;
  currency: string;
  /** Bounds, minor units. */
  least?: number | undefined;
  most?: number | undefined;
  quick: number[];
  busy: boolean;
  inputTestId: string;
  buttonTestId: string;
  /** What went wrong with the last try, from the hub. */
  fault: string | null;
  onEdit: () => void;
  onSubmit: (money: Money) => void;
}

/** One amount and one button. What is typed is checked here, and always again by the hub. */
export function MoneyForm(props: Props) {
  const { t, locale } = useSpeech();
  const [text, setText] = useState("");
  const [mistake, setMistake] = useState<string | null>(null);
  const id = useId();
  const { currency, least, most } = props;

  const edit = (value: string) => {
    setText(value);
    setMistake(null);
    props.onEdit();
  };
  const submit = (event: Event) => {
    event.preventDefault();
    const money = parseMoney(text, currency);
    const say = (amount: number) => formatMoney({ amount, currency }, locale, true);
    if (!money) setMistake(t("bad_amount"));
    else if (least !== undefined && money.amount < least) {
      setMistake(t("below_minimum", { amount: say(least) }));
    } else if (most !== undefined && money.amount > most) {
      setMistake(t("above_maximum", { amount: say(most) }));
    } else props.onSubmit(money);
  };

  const wrong = mistake ?? props.fault;
  return (
    <form class="money-form" onSubmit={submit} noValidate>
      <label for={id}>{props.label}</label>
      <div class="money-row">
        <input
          id={id}
          type="text"
          inputMode="decimal"
          autocomplete="off"
          value={text}
          disabled={props.busy}
          aria-invalid={wrong !== null}
          aria-describedby={`${id}-wrong`}
          data-testid={props.inputTestId}
          onInput={(event) => edit(event.currentTarget.value)}
        />
        <button class="primary" disabled={props.busy} data-testid={props.buttonTestId}>
          {props.action}
        </button>
      </div>
      {props.quick.length > 0 && (
        <div class="quick">
          {props.quick.map((amount) => (
            <button
              key={amount}
              type="button"
              class="chip"
              disabled={props.busy}
              onClick={() => edit(new Intl.NumberFormat("en").format(amount))}
            >
              {new Intl.NumberFormat(locale).format(amount)}
            </button>
          ))}
        </div>
      )}
      <p class="wrong" id={`${id}-wrong`} role="alert">
        {wrong}
      </p>
    </form>
  );
}
