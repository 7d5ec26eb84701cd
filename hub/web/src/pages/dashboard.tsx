/** The investor's page: money, offers, what was backed, what happens, who writes. */
import { Conversations } from "../parts/conversations";
import { Feed } from "../parts/feed";
import { Investments } from "../parts/investments";
import { Offers } from "../parts/offers";
import { Wallets } from "../parts/wallet";
import type { Person } from "../types";

export function Dashboard({ person }: { person: Person }) {
  return (
    <>
      <div class="column main">
        <Wallets person={person} />
        <Offers person={person} />
        <Investments />
      </div>
      <div class="column side">
        <Feed tabs="activity" />
        <Conversations person={person} />
      </div>
    </>
  );
}
