/**
 * Who is signed in. The refresh token is an HttpOnly cookie that scripts never see; it is used
 * when the page loads and when an access token has run out.
 */
import { access, call, NoAnswer, Problem } from "./api";
import { cell } from "./cell";
import { recall, remember } from "./storage";
import type { Person, Session } from "./types";

export type SessionState =
  | { is: "unknown" }
  | { is: "unreachable" }
  | { is: "out" }
  | { is: "in"; person: Person };

// Whether this browser has signed in before: a first visitor is not asked to wait for a refresh
// that can only fail.
const known = () => recall("local", "known") !== null;

export const session = cell<SessionState>({ is: known() ? "unknown" : "out" });

let renewing: Promise<boolean> | null = null;

/** One refresh at a time, across tabs too: the cookie is used up by each, and reuse ends it. */
function renew(): Promise<boolean> {
  renewing ??= exclusively(refresh).finally(() => (renewing = null));
  return renewing;
}

access.renew = renew;

async function exclusively(work: () => Promise<boolean>): Promise<boolean> {
  if (!("locks" in navigator)) return work();
  return navigator.locks.request("hub-refresh", work);
}

async function refresh(): Promise<boolean> {
  try {
    enter(await call<Session>("POST", "/v1/sign-in/refresh", { body: {}, open: true }));
    return true;
  } catch (fault) {
    if (!(fault instanceof Problem) || fault.passing) throw fault;
    leave();
    return false;
  }
}

function enter(answer: Session): void {
  access.token = answer.access_token;
  remember("local", "known", "1");
  session.set({ is: "in", person: answer.person });
}

function leave(): void {
  access.token = null;
  remember("local", "known", null);
  session.set({ is: "out" });
}

/** Picks up the session of an earlier visit, if there is one. */
export async function resume(): Promise<void> {
  if (!known()) return;
  session.set({ is: "unknown" });
  try {
    await renew();
  } catch {
    session.set({ is: "unreachable" });
  }
}

export interface Challenge {
  challenge_id: string;
  expires_in: number;
}

export function sendCode(phone: string): Promise<Challenge> {
  return call("POST", "/v1/sign-in/codes", { body: { phone }, open: true });
}

export async function signIn(challenge: Challenge, code: string): Promise<void> {
  const body = {
    challenge_id: challenge.challenge_id,
    code,
    device: { platform: "web", name: deviceName() },
  };
  enter(await call<Session>("POST", "/v1/sign-in/sessions", { body, open: true }));
}

/** Ends the session here at once; if the hub cannot be told now, the cookie runs out by itself. */
export async function signOut(): Promise<void> {
  try {
    await call("POST", "/v1/sign-out", { body: {} });
  } catch (fault) {
    if (!(fault instanceof Problem) && !(fault instanceof NoAnswer)) throw fault;
  }
  leave();
}

/** Remembers the language with the person, so that SMS and USSD speak it too. */
export async function keepLanguage(language: string): Promise<void> {
  const now = session.get();
  if (now.is !== "in" || now.person.language === language) return;
  await call("PATCH", "/v1/me", { body: { language } });
  session.set({ is: "in", person: { ...now.person, language } });
}

function deviceName(): string {
  const agent = navigator.userAgent;
  const browser = /(Edg|OPR|Firefox|Chrome|Safari)\//.exec(agent)?.[1] ?? "Browser";
  const system = /(Android|iPhone|iPad|Windows|Mac OS X|Linux)/.exec(agent)?.[1] ?? "web";
  return `${browser === "Edg" ? "Edge" : browser === "OPR" ? "Opera" : browser}, ${system}`;
}
