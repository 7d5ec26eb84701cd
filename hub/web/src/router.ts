/** Where the person is: the part of the address after `#/`, split at its slashes. */
import { cell } from "./cell";

const read = (): string[] => location.hash.replace(/^#\/?/, "").split("/").filter(Boolean);

export const route = cell<string[]>(read());

addEventListener("hashchange", () => {
  route.set(read());
  scrollTo(0, 0);
});

export function go(path: string): void {
  location.hash = `#/${path}`;
}
