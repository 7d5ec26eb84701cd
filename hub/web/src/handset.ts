/**
 * A handset on the sandbox network: what the phone of one number has on its screen. It speaks the
 * sandbox's phone API, which stands in for a mobile network; there is none in production.
 */
import { cell, type Cell } from "./cell";
import type { PhoneMessage } from "./types";

export interface Dialogue {
  /** Null once the network has ended the session. */
  session: string | null;
  text: string;
  more: boolean;
}

export interface Handset {
  messages: Cell<PhoneMessage[]>;
  dialogue: Cell<Dialogue | null>;
  busy: Cell<boolean>;
  /** The network's own complaint about the last thing done, if any. */
  complaint: Cell<string | null>;
  reachable: Cell<boolean>;
  /** Dials a code, or answers the open screen. */
  call(input: string): Promise<void>;
  hangUp(): void;
  sendSms(text: string): Promise<void>;
  /** Polls for messages until the function returned is called. */
  listen(): () => void;
}

const POLL_MS = 2_000;

/** The phone of `msisdn`; an SMS that answers none goes to `hub`. */
export function handset(network: string, msisdn: string, hub: string): Handset {
  const base = `${network}/phone/${encodeURIComponent(msisdn)}`;
  const messages = cell<PhoneMessage[]>([]);
  const dialogue = cell<Dialogue | null>(null);
  const busy = cell(false);
  const complaint = cell<string | null>(null);
  const reachable = cell(true);

  async function ask<T>(method: string, path: string, body?: unknown): Promise<T | null> {
    try {
      const response = await fetch(base + path, {
        method,
        headers: body === undefined ? {} : { "Content-Type": "application/json" },
        body: body === undefined ? null : JSON.stringify(body),
      });
      reachable.set(true);
      const text = await response.text();
      const answer: unknown = text ? JSON.parse(text) : null;
      if (response.ok) return answer as T;
      complaint.set((answer as { detail?: string } | null)?.detail ?? String(response.status));
    } catch {
      reachable.set(false);
    }
    return null;
  }

  async function working(work: () => Promise<void>): Promise<void> {
    if (busy.get()) return;
    busy.set(true);
    complaint.set(null);
    try {
      await work();
    } finally {
      busy.set(false);
    }
  }

  async function poll(): Promise<void> {
    if (document.visibilityState === "hidden") return;
    const known = messages.get();
    const newest = known.at(-1)?.id;
    const after = newest === undefined ? "" : `?after=${encodeURIComponent(newest)}`;
    const fresh = await ask<{ items: PhoneMessage[] }>("GET", `/messages${after}`);
    if (fresh && fresh.items.length > 0) {
      const ids = new Set(messages.get().map(({ id }) => id));
      messages.set((all) => [...all, ...fresh.items.filter(({ id }) => !ids.has(id))]);
    }
  }

  return {
    messages,
    dialogue,
    busy,
    complaint,
    reachable,
    call: (input) =>
      working(async () => {
        const open = dialogue.get();
        const session_id = open?.more ? open.session : null;
        const turn = await ask<{ session_id: string | null; text: string; more: boolean }>(
          "POST",
          "/ussd",
          { session_id, input },
        );
        if (turn) dialogue.set({ session: turn.session_id, text: turn.text, more: turn.more });
      }),
    hangUp() {
      const open = dialogue.get();
      if (open?.more && open.session) void ask("DELETE", `/ussd/${encodeURIComponent(open.session)}`);
      dialogue.set(null);
      complaint.set(null);
    },
    sendSms: (text) =>
      working(async () => {
        const last = messages.get().filter(({ direction }) => direction === "in").at(-1);
        await ask("POST", "/messages", { to: last?.peer ?? hub, text });
        await poll();
      }),
    listen() {
      void poll();
      const timer = setInterval(() => void poll(), POLL_MS);
      return () => clearInterval(timer);
    },
  };
}
