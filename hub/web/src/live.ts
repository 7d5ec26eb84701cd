/**
 * The live connection by the official `centrifuge` SDK: a WebSocket, or where those do not get
 * through an HTTP answer that goes on. The server subscribes the person's own stream; offerings and conversations on the screen are subscribed from here. After a
 * break the SDK resumes each stream where it stopped; where that was not possible the watcher is
 * told (`onGap`) and fetches anew, without a reload.
 */
import type { Centrifuge, TransportEndpoint } from "centrifuge";

import { access, call, Problem } from "./api";
import { cell } from "./cell";
import type { HubEvent } from "./types";

export interface Connection {
  state: "connected" | "connecting" | "disconnected";
  /** When the hub was last heard of, Unix ms; null before the first time. */
  asOf: number | null;
}

export interface Watcher {
  onEvent(event: HubEvent): void;
  /** Events may have been missed (or this is the first subscription): read the state again. */
  onGap(position: number | null): void;
}

export const connection = cell<Connection>({ state: "connecting", asOf: null });

let client: Centrifuge | null = null;
let heardAt: number | null = null;
// Which connection is meant: a sign-out while the SDK is still loading must not connect after it.
let generation = 0;
const watched = new Map<string, Set<Watcher>>();

/** Connects as the person who is signed in; `own` watches the person's own stream. */
export async function goLive(own: Watcher, onSignedOut: () => void): Promise<void> {
  const mine = ++generation;
  connection.set({ state: "connecting", asOf: null });
  const { Centrifuge: Client, UnauthorizedError } = await import("centrifuge");
  if (mine !== generation) return;

  class Heard extends WebSocket {
    constructor(url: string, protocols?: string | string[]) {
      super(url, protocols);
      this.addEventListener("message", () => (heardAt = Date.now()));
    }
  }

  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const transports: TransportEndpoint[] = [
    { transport: "websocket", endpoint: `${scheme}://${location.host}/connection/websocket` },
    { transport: "http_stream", endpoint: "/connection/http_stream" },
    { transport: "sse", endpoint: "/connection/sse" },
  ];
  client = new Client(transports, {
    name: "web",
    websocket: Heard,
    emulationEndpoint: "/emulation",
    // Without a WebSocket every ping is answered by a request: its answer is a sign of life.
    fetch: async (...request: Parameters<typeof fetch>) => {
      const answer = await fetch(...request);
      if (answer.ok) heardAt = Date.now();
      return answer;
    },
    timeout: 10_000,
    getToken: async () => {
      try {
        return (await call<{ token: string }>("GET", "/v1/realtime/token")).token;
      } catch (fault) {
        if (fault instanceof Problem && fault.status === 401) {
          throw new UnauthorizedError(fault.detail);
        }
        throw fault;
      }
    },
  });
  const note = () => {
    if (mine === generation && client) connection.set({ state: client.state, asOf: heardAt });
  };
  client.on("state", note);
  client.on("disconnected", () => {
    if (!access.token) onSignedOut();
  });
  client.on("subscribed", ({ channel, wasRecovering, recovered, streamPosition }) => {
    if (personal(channel) && !(wasRecovering && recovered)) {
      own.onGap(streamPosition?.offset ?? null);
    }
  });
  client.on("publication", ({ channel, data, offset }) => {
    if (personal(channel)) own.onEvent(withOffset(data, offset));
  });
  for (const channel of watched.keys()) subscribe(channel);
  client.connect();
}

export function stopLive(): void {
  generation++;
  client?.disconnect();
  client = null;
  heardAt = null;
  connection.set({ state: "disconnected", asOf: null });
}

/** Connects again after the hub has ended the connection for good. */
export function reconnect(): void {
  client?.connect();
}

/** Follows a channel until the function returned is called. */
export function watch(channel: string, watcher: Watcher): () => void {
  const watchers = watched.get(channel) ?? new Set();
  watchers.add(watcher);
  watched.set(channel, watchers);
  if (watchers.size === 1) subscribe(channel);
  return () => {
    watchers.delete(watcher);
    if (watchers.size > 0) return;
    watched.delete(channel);
    const subscription = client?.getSubscription(channel) ?? null;
    subscription?.unsubscribe();
    client?.removeSubscription(subscription);
  };
}

function subscribe(channel: string): void {
  if (!client || client.getSubscription(channel)) return;
  const all = (tell: (watcher: Watcher) => void) => watched.get(channel)?.forEach(tell);
  const subscription = client.newSubscription(channel);
  subscription.on("publication", ({ data, offset }) => {
    all((watcher) => watcher.onEvent(withOffset(data, offset)));
  });
  subscription.on("subscribed", ({ wasRecovering, recovered, streamPosition }) => {
    if (!(wasRecovering && recovered)) all((w) => w.onGap(streamPosition?.offset ?? null));
  });
  subscription.subscribe();
}

/** Tells the hub that the person has seen their stream up to `offset`: it need not send an SMS. */
export async function tellSeen(offset: number): Promise<boolean> {
  if (client?.state !== "connected") return false;
  try {
    await client.rpc("seen", { offset });
    return true;
  } catch {
    return false;
  }
}

const personal = (channel: string) => channel.startsWith("personal:");

function withOffset(data: unknown, offset: number | undefined): HubEvent {
  return offset === undefined ? (data as HubEvent) : { ...(data as HubEvent), offset };
}
