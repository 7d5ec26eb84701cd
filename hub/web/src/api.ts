/**
 * Calls to the hub's REST API. The access token lives in memory only; a 401 is met by one refresh
 * and one repetition. What goes wrong is either a `Problem` (the hub's answer, RFC 9457) or
 * `NoAnswer` (nobody knows whether the hub did it): forms must treat the two differently.
 */

export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly kind: string,
    readonly detail: string,
    readonly facts: Record<string, unknown>,
  ) {
    super(detail || kind);
  }

  /** Whether the same request may well succeed later, unchanged. */
  get passing(): boolean {
    return this.status === 429 || this.status >= 500 || this.kind === "idempotency_key_in_flight";
  }
}

export class NoAnswer extends Error {}

interface Access {
  token: string | null;
  /** Gets a new token; false if the session is over. Filled by the session. */
  renew: () => Promise<boolean>;
}

export const access: Access = { token: null, renew: async () => false };

interface Options {
  body?: unknown;
  /** Idempotency-Key of a request that must happen at most once. */
  key?: string;
  /** Without a token, and no refresh on a 401. */
  open?: boolean;
}

const PATIENCE_MS = 30_000;

export async function call<T>(method: string, path: string, options: Options = {}): Promise<T> {
  let response = await send(method, path, options);
  if (response.status === 401 && !options.open && (await access.renew())) {
    response = await send(method, path, options);
  }
  if (!response.ok) throw await problemOf(response);
  if (response.status === 204 || response.status === 205) return undefined as T;
  return answered(() => response.json() as Promise<T>);
}

export const get = <T>(path: string): Promise<T> => call<T>("GET", path);

async function send(method: string, path: string, options: Options): Promise<Response> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  if (options.key) headers["Idempotency-Key"] = options.key;
  if (access.token && !options.open) headers["Authorization"] = `Bearer ${access.token}`;
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), PATIENCE_MS);
  try {
    return await answered(() =>
      fetch(path, {
        method,
        headers,
        body: options.body === undefined ? null : JSON.stringify(options.body),
        credentials: "same-origin",
        signal: patience.signal,
      }),
    );
  } finally {
    clearTimeout(timer);
  }
}

async function answered<T>(attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (cause) {
    throw new NoAnswer(cause instanceof Error ? cause.message : "no answer");
  }
}

async function problemOf(response: Response): Promise<Problem> {
  let body: Record<string, unknown> = {};
  try {
    body = (await response.json()) as Record<string, unknown>;
  } catch {
    // A proxy's error page is not JSON; the status alone has to do.
  }
  const type = typeof body["type"] === "string" ? body["type"] : "";
  const kind = type.slice(type.lastIndexOf("/") + 1) || `http_${response.status}`;
  const detail = typeof body["detail"] === "string" ? body["detail"] : "";
  return new Problem(response.status, kind, detail, body);
}
