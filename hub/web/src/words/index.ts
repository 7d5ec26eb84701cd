/**
 * The words of the pages. A dictionary has every key of the English one, checked by the compiler;
 * so are the values that a text needs. Languages other than English are fetched when chosen.
 */
import { cell, useCell } from "../cell";
import { recall, remember } from "../storage";
import { en } from "./en";

export type Key = keyof typeof en;
export type Words = Record<Key, string>;

type Slots<Text extends string> = Text extends `${string}{${infer Slot}}${infer Rest}`
  ? Slot | Slots<Rest>
  : never;
type Values<K extends Key> =
  Slots<(typeof en)[K]> extends never
    ? []
    : [values: Record<Slots<(typeof en)[K]>, string | number>];

export const LANGUAGES = { en: "English", sw: "Kiswahili", fr: "Français" } as const;
export type Language = keyof typeof LANGUAGES;

export interface Speech {
  language: Language;
  /** How figures and times are written: the language in the person's country, as "sw-KE". */
  locale: string;
  t<K extends Key>(key: K, ...values: Values<K>): string;
}

const loaders: Record<Language, () => Promise<Words>> = {
  en: async () => en,
  sw: async () => (await import("./sw")).sw,
  fr: async () => (await import("./fr")).fr,
};

let country = "KE";

function speechOf(language: Language, words: Words): Speech {
  return {
    language,
    locale: `${language}-${country}`,
    t: (key, ...[values]) => {
      const given = (values ?? {}) as Record<string, string | number>;
      return words[key].replace(/\{(\w+)\}/g, (slot, name: string) => String(given[name] ?? slot));
    },
  };
}

export const speech = cell<Speech>(speechOf("en", en));

export const useSpeech = (): Speech => useCell(speech);

/** Speaks `language` from now on; stays with the present one if its words cannot be fetched. */
export async function speak(language: Language, inCountry = country): Promise<void> {
  try {
    const words = await loaders[language]();
    country = inCountry;
    speech.set(speechOf(language, words));
    document.documentElement.lang = language;
    remember("local", "language", language);
  } catch {
    return;
  }
}

export function isLanguage(text: string | null | undefined): text is Language {
  return text != null && text in LANGUAGES;
}

/** What was chosen here before, else the browser's first language that is spoken here. */
export function preferredLanguage(): Language {
  const chosen = recall("local", "language");
  if (isLanguage(chosen)) return chosen;
  const wished = navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase());
  return wished.find(isLanguage) ?? "en";
}
