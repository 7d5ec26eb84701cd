/** A value that components follow: one writer sets it, every component that reads it is drawn anew. */
import { useEffect, useState } from "preact/hooks";

export interface Cell<T> {
  get(): T;
  set(next: T | ((before: T) => T)): void;
  follow(listener: () => void): () => void;
}

export function cell<T>(initial: T): Cell<T> {
  let value = initial;
  const listeners = new Set<() => void>();
  return {
    get: () => value,
    set(next) {
      const after = typeof next === "function" ? (next as (before: T) => T)(value) : next;
      if (Object.is(after, value)) return;
      value = after;
      for (const listener of [...listeners]) listener();
    },
    follow(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** The cell's value; the component is drawn again whenever it changes. */
export function useCell<T>(source: Cell<T>): T {
  const [, redraw] = useState({});
  useEffect(() => {
    const before = source.get();
    const stop = source.follow(() => redraw({}));
    // A change between drawing and this effect would otherwise be missed.
    if (!Object.is(before, source.get())) redraw({});
    return stop;
  }, [source]);
  return source.get();
}
