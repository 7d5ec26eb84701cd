/** Something read from the hub: its last known value, and whether the last reading worked. */
import { NoAnswer, Problem } from "./api";
import { cell, type Cell } from "./cell";

export interface Resource<T> {
  readonly value: Cell<T | null>;
  readonly failed: Cell<boolean>;
  /** Reads again. Calls while a reading runs are joined into one more reading after it. */
  refresh(): Promise<void>;
  /** Forgets everything, as at a sign-out; a reading under way is dropped. */
  clear(): void;
}

export function resource<T>(load: () => Promise<T>): Resource<T> {
  const value = cell<T | null>(null);
  const failed = cell(false);
  let running: Promise<void> | null = null;
  let again = false;
  let generation = 0;

  async function read(): Promise<void> {
    do {
      again = false;
      const mine = generation;
      try {
        const fresh = await load();
        if (mine !== generation) return;
        value.set(fresh);
        failed.set(false);
      } catch (fault) {
        if (!(fault instanceof Problem) && !(fault instanceof NoAnswer)) throw fault;
        if (mine === generation) failed.set(true);
      }
    } while (again);
  }

  return {
    value,
    failed,
    refresh() {
      again = running !== null;
      running ??= read().finally(() => (running = null));
      return running;
    },
    clear() {
      generation++;
      again = false;
      value.set(null);
      failed.set(false);
    },
  };
}
