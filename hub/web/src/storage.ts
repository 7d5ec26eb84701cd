/** Browser storage that may be switched off: then nothing is remembered, and nothing breaks. */

type Kind = "local" | "session";

const store = (kind: Kind): Storage => (kind === "local" ? localStorage : sessionStorage);

export function recall(kind: Kind, name: string): string | null {
  try {
    return store(kind).getItem(`hub.${name}`);
  } catch {
    return null;
  }
}

/** Remembers `value`, or forgets the name if it is null. */
export function remember(kind: Kind, name: string, value: string | null): void {
  try {
    if (value === null) store(kind).removeItem(`hub.${name}`);
    else store(kind).setItem(`hub.${name}`, value);
  } catch {
    return;
  }
}
