/**
 * Amounts: whole minor units throughout. Figures are read and written as text, digit by digit,
 * so no amount is ever a fraction of a floating-point number.
 */
import type { Money } from "./types";

const exponents = new Map<string, number>();

/** Decimal places of a currency: 2 for KES, 0 for UGX. */
export function exponentOf(currency: string): number {
  let exponent = exponents.get(currency);
  if (exponent === undefined) {
    const format = new Intl.NumberFormat("en", { style: "currency", currency });
    exponent = format.resolvedOptions().maximumFractionDigits ?? 2;
    exponents.set(currency, exponent);
  }
  return exponent;
}

/** The amount in major units as a plain decimal figure: 125050 KES is "1250.50". */
export function decimal({ amount, currency }: Money): string {
  const exponent = exponentOf(currency);
  const digits = String(Math.abs(amount)).padStart(exponent + 1, "0");
  const whole = digits.slice(0, digits.length - exponent);
  const fraction = exponent ? `.${digits.slice(-exponent)}` : "";
  return `${amount < 0 ? "-" : ""}${whole}${fraction}`;
}

/** "KES 1,250.50" in the reader's way of writing; whole amounts without decimals if `short`. */
export function formatMoney(money: Money, locale: string, short = false): string {
  const exponent = exponentOf(money.currency);
  const whole = money.amount % 10 ** exponent === 0;
  const format = new Intl.NumberFormat(locale, {
    style: "currency",
    currency: money.currency,
    currencyDisplay: "code",
    minimumFractionDigits: short && whole ? 0 : exponent,
    maximumFractionDigits: exponent,
  });
  return format.format(decimal(money) as Intl.StringNumericLiteral);
}

/**
 * What a person typed in major units ("1,250" or "1250.50") as minor units, or null if it is not
 * a plain figure above zero of that currency.
 */
export function parseMoney(text: string, currency: string): Money | null {
  const exponent = exponentOf(currency);
  const found = /^(\d{1,12})(?:\.(\d+))?$/.exec(text.replace(/[\s,\u00a0\u202f]/g, ""));
  if (!found) return null;
  const [, whole = "", fraction = ""] = found;
  if (fraction.length > exponent) return null;
  const amount = Number(whole + fraction.padEnd(exponent, "0"));
  return amount > 0 && Number.isSafeInteger(amount) ? { amount, currency } : null;
}

/** How much of `target` was raised, in whole percent, rounded down: 100 only when it is all there. */
export function percentOf(raised: Money, target: Money): number {
  if (target.amount <= 0) return 0;
  const percent = (BigInt(raised.amount) * BigInt(100)) / BigInt(target.amount);
  return Math.max(0, Math.min(100, Number(percent)));
}
