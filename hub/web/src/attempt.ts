/**
 * A request that moves money, made at most once however bad the network is. Its Idempotency-Key
 * and body are kept, across reloads of the tab too, until the hub has answered; the same request
 * is repeated until then. A new one can only start after the old one has its outcome.
 */
import { useEffect, useRef, useState } from "preact/hooks";

import { call, NoAnswer, Problem } from "./api";
import { recall, remember } from "./storage";

interface Kept {
  path: string;
  key: string;
  body: unknown;
}

export type AttemptState<T> =
  | { is: "idle" }
  | { is: "sending" }
  /** No answer yet: the outcome is unknown, and the request will be repeated. */
  | { is: "waiting" }
  | { is: "done"; answer: T }
  | { is: "refused"; problem: Problem };

const LONGEST_WAIT_MS = 30_000;

/** A random UUID; `crypto.randomUUID` is missing where the page is not served over TLS. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** `name` tells apart the forms of one person in one tab. */
export function useAttempt<T>(name: string, onDone: (answer: T) => void) {
  const [state, setState] = useState<AttemptState<T>>({ is: "idle" });
  const kept = useRef<Kept | null>(read(name));
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const tries = useRef(0);
  const busy = useRef(false);
  const done = useRef(onDone);
  done.current = onDone;

  const keep = (next: Kept | null) => {
    kept.current = next;
    remember("session", `attempt.${name}`, next && JSON.stringify(next));
  };

  const run = async () => {
    const request = kept.current;
    if (!request || busy.current) return;
    busy.current = true;
    clearTimeout(timer.current);
    setState({ is: "sending" });
    try {
      const { path, key, body } = request;
      const answer = await call<T>("POST", path, { body, key });
      keep(null);
      setState({ is: "done", answer });
      done.current(answer);
    } catch (fault) {
      if (fault instanceof NoAnswer || (fault instanceof Problem && fault.passing)) {
        setState({ is: "waiting" });
        const wait = Math.min(LONGEST_WAIT_MS, 2_000 * 2 ** tries.current++);
        timer.current = setTimeout(() => void run(), wait);
      } else if (fault instanceof Problem) {
        // Signed out: the request stays kept, and goes out again after the next sign-in.
        if (fault.status !== 401) keep(null);
        setState({ is: "refused", problem: fault });
      } else throw fault;
    } finally {
      busy.current = false;
    }
  };

  useEffect(() => {
    if (kept.current) void run();
    const again = () => void run();
    addEventListener("online", again);
    return () => {
      removeEventListener("online", again);
      clearTimeout(timer.current);
    };
  }, [name]);

  return {
    state,
    /** The body that waits for its outcome, if any. */
    waiting: kept.current?.body ?? null,
    busy: state.is === "sending" || state.is === "waiting",
    submit(path: string, body: unknown) {
      if (!kept.current) keep({ path, key: newKey(), body });
      tries.current = 0;
      void run();
    },
    /** Tries at once instead of at the next turn. */
    again: () => void run(),
    clear: () => setState({ is: "idle" }),
  };
}

function read(name: string): Kept | null {
  const text = recall("session", `attempt.${name}`);
  if (!text) return null;
  try {
    return JSON.parse(text) as Kept;
  } catch {
    return null;
  }
}
