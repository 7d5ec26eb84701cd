/**
 * One conversation: what was said, and what is on its way out. A message that got no answer is
 * sent again under the same Idempotency-Key, also while another page is shown.
 */
import { call, get, NoAnswer, Problem } from "./api";
import { newKey } from "./attempt";
import { cell, type Cell } from "./cell";
import { resource, type Resource } from "./resource";
import { unread } from "./stores";
import type { Message, Page } from "./types";

export interface Outgoing {
  key: string;
  text: string;
  /** What the hub said against it; null while it is on its way. */
  refused: Problem | null;
  /** Whether a try has gone without an answer. */
  unanswered: boolean;
}

export interface Thread {
  messages: Resource<Message[]>;
  outgoing: Cell<Outgoing[]>;
  send(text: string): void;
  drop(key: string): void;
  /** Tells the hub that everything here was read. */
  markRead(): void;
}

const AGAIN_MS = 4_000;
const threads = new Map<string, Thread>();

export function threadOf(id: string): Thread {
  let thread = threads.get(id);
  if (!thread) {
    thread = open(id);
    threads.set(id, thread);
  }
  return thread;
}

export function forgetThreads(): void {
  for (const thread of threads.values()) thread.outgoing.set([]);
  threads.clear();
}

function open(id: string): Thread {
  const path = `/v1/conversations/${id}/messages`;
  const messages = resource(async () => {
    const { items } = await get<Page<Message>>(path);
    // Ids are UUIDv7: their order is the order in which the messages were written.
    return [...items].sort((one, other) => (one.id < other.id ? -1 : 1));
  });
  const outgoing = cell<Outgoing[]>([]);
  const change = (key: string, by: Partial<Outgoing>) =>
    outgoing.set((all) => all.map((each) => (each.key === key ? { ...each, ...by } : each)));
  const drop = (key: string) => outgoing.set((all) => all.filter((each) => each.key !== key));
  let readUpTo = "";

  async function deliver(key: string, text: string): Promise<void> {
    if (!outgoing.get().some((each) => each.key === key)) return;
    try {
      await call("POST", path, { body: { text }, key });
      await messages.refresh();
      drop(key);
    } catch (fault) {
      if (fault instanceof NoAnswer || (fault instanceof Problem && fault.passing)) {
        change(key, { unanswered: true });
        setTimeout(() => void deliver(key, text), AGAIN_MS);
      } else if (fault instanceof Problem) change(key, { refused: fault });
      else throw fault;
    }
  }

  return {
    messages,
    outgoing,
    drop,
    send(text) {
      const key = newKey();
      outgoing.set((all) => [...all, { key, text, refused: null, unanswered: false }]);
      void deliver(key, text);
    },
    markRead() {
      unread.set((before) => {
        if (!before.has(id)) return before;
        const after = new Set(before);
        after.delete(id);
        return after;
      });
      const newest = messages.value.get()?.at(-1)?.id;
      if (!newest || newest === readUpTo) return;
      readUpTo = newest;
      // Only a receipt: if it is lost, the next message that is read carries it.
      call("POST", `/v1/conversations/${id}/read`, { body: { message_id: newest } }).catch(() => {
        readUpTo = "";
      });
    },
  };
}
