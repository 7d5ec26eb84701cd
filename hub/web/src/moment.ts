/** Moments in the reader's language: "14:03" today, "23 Nov" before, "in 12 days" ahead. */
import type { Moment } from "./types";

export function dateOf(moment: Moment): Date {
  return new Date(moment);
}

export function timeOfDay(moment: Moment, locale: string): string {
  return new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", hour12: false })
    .format(dateOf(moment));
}

export function when(moment: Moment, locale: string, now = new Date()): string {
  const date = dateOf(moment);
  if (date.toDateString() === now.toDateString()) return timeOfDay(moment, locale);
  return new Intl.DateTimeFormat(locale, { day: "numeric", month: "short" }).format(date);
}

export function full(moment: Moment, locale: string): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: "long", timeStyle: "short" })
    .format(dateOf(moment));
}

/** "in 12 days", "in 3 hours"; the closest unit that is at least one. */
export function ahead(moment: Moment, locale: string, now = Date.now()): string {
  const seconds = Math.round((dateOf(moment).getTime() - now) / 1000);
  const units: [Intl.RelativeTimeFormatUnit, number][] = [
    ["day", 86_400],
    ["hour", 3_600],
    ["minute", 60],
  ];
  const [unit, length] = units.find(([, size]) => Math.abs(seconds) >= size) ?? ["minute", 60];
  return new Intl.RelativeTimeFormat(locale, { numeric: "auto" })
    .format(Math.trunc(seconds / length), unit);
}
