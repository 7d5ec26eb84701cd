/** What this hub offers beside the product itself: a sandbox phone, demo people. */
import { call } from "./api";
import { cell } from "./cell";
import { recall, remember } from "./storage";
import type { Config } from "./types";

export const config = cell<Config | null>(null);

/** Whose phone the web phone is; null until somebody chose. */
export const handsetNumber = cell<string | null>(recall("local", "handset"));

export function chooseHandset(number: string): void {
  remember("local", "handset", number);
  handsetNumber.set(number);
}

export async function readConfig(): Promise<void> {
  try {
    config.set(await call<Config>("GET", "/v1/config", { open: true }));
  } catch {
    // Without it there is no demo; the product is all there.
    config.set({ sandbox_url: null, demo: null });
  }
}
