/** What the pages know about the person's world, and how events change it. */
import { get, NoAnswer, Problem } from "./api";
import { cell } from "./cell";
import { resource } from "./resource";
import type {
  Business,
  Conversation,
  HubEvent,
  Investment,
  Money,
  Offering,
  Page,
  Wallet,
} from "./types";

const FEED_LENGTH = 50;

const list = <T>(path: string) => resource(async () => (await get<Page<T>>(path)).items);

export const wallets = list<Wallet>("/v1/wallets");
export const offerings = list<Offering>("/v1/offerings");
export const investments = list<Investment>("/v1/investments");
export const conversations = list<Conversation>("/v1/conversations");
export const businesses = list<Business>("/v1/businesses");
export const feed = list<HubEvent>("/v1/feed?limit=20");
/** Who invested, per business of the person. */
export const backers = resource(async () => {
  const owned = businesses.value.get() ?? [];
  const pages = owned.map(({ id }) => get<Page<Investment>>(`/v1/businesses/${id}/investments`));
  const lists = await Promise.all(pages);
  return new Map(owned.map(({ id }, position) => [id, lists[position]?.items ?? []]));
});
/** Offerings of the person's businesses that are over, and so in no list of open ones. */
export const pastOfferings = resource(async () => {
  const open = new Set((offerings.value.get() ?? []).map(({ id }) => id));
  const backed = [...(backers.value.get() ?? new Map<string, Investment[]>()).values()].flat();
  const past = new Set(backed.map((one) => one.offering_id).filter((id) => !open.has(id)));
  return Promise.all([...past].map((id) => get<Offering>(`/v1/offerings/${id}`)));
});

/** The newest event that arrived live: what a toast shows and a screen reader says. */
export const latest = cell<HubEvent | null>(null);
/** Payments under way in this tab, and how they ended. */
export const payments = cell<Record<string, "settled" | "failed">>({});
/** Conversations with something new in them, until they are opened. */
export const unread = cell<ReadonlySet<string>>(new Set());

const everything = [
  wallets,
  offerings,
  investments,
  conversations,
  businesses,
  feed,
  backers,
  pastOfferings,
];

export function forgetEverything(): void {
  for (const each of everything) each.clear();
  latest.set(null);
  payments.set({});
  unread.set(new Set());
}

/** Reads what somebody in these roles looks at; `owner` adds the business side. */
export async function readAll(owner: boolean): Promise<void> {
  const reading = [wallets, offerings, investments, conversations, feed];
  await Promise.all([...reading.map((each) => each.refresh()), owner ? readBusiness() : null]);
  if (owner) await pastOfferings.refresh();
}

export async function readBusiness(): Promise<void> {
  await businesses.refresh();
  await backers.refresh();
}

/** Takes in one event of the person's own stream. The same event twice changes nothing. */
export function take(event: HubEvent, owner: boolean): void {
  const known = feed.value.get() ?? [];
  if (known.some(({ id }) => id === event.id)) return;
  feed.value.set([event, ...known].slice(0, FEED_LENGTH));
  latest.set(event);
  takeBalance(event);
  takeOffering(event);
  switch (event.event) {
    case "payment.settled":
    case "payment.failed": {
      const id = String(event["payment_id"]);
      payments.set((before) => ({
        ...before,
        [id]: event.event === "payment.settled" ? "settled" : "failed",
      }));
      break;
    }
    case "investment.confirmed":
      void investments.refresh();
      break;
    case "investment.made":
      if (owner) void backers.refresh();
      break;
    case "investment.refunded":
    case "offering.failed":
    case "offering.funded":
      void investments.refresh();
      if (owner) void readBusiness();
      break;
    case "escrow.released":
      if (owner) void readBusiness();
      void wallets.refresh();
      break;
    case "message.sent":
      unread.set((before) => new Set(before).add(String(event["conversation_id"])));
      void conversations.refresh();
      break;
  }
}

const OUTCOMES: Partial<Record<string, Offering["state"]>> = {
  "offering.funded": "funded",
  "offering.failed": "failed",
};

/** Takes in an event of an offering's stream, or one that names an offering. */
export function takeOffering(event: HubEvent): void {
  const raised = event["raised"] as Money | undefined;
  const id = event["offering_id"];
  if (!raised || typeof id !== "string") return;
  offerings.value.set((known) =>
    known &&
    known.map((offering) => {
      // Amounts raised only grow while an offering is open: an older event must not undo a newer.
      if (offering.id !== id || raised.amount < offering.raised.amount) return offering;
      return { ...offering, raised, state: OUTCOMES[event.event] ?? offering.state };
    }),
  );
}

/** Reads one offering again: after a gap, and for what its events do not tell. */
export async function readOffering(id: string): Promise<void> {
  try {
    const fresh = await get<Offering>(`/v1/offerings/${id}`);
    offerings.value.set((known) => known && known.map((each) => (each.id === id ? fresh : each)));
  } catch (fault) {
    if (!(fault instanceof Problem) && !(fault instanceof NoAnswer)) throw fault;
  }
}

// A payout to the business carries the business's balance, not the person's.
const BUSINESS_BALANCES = new Set(["escrow.released"]);

function takeBalance(event: HubEvent): void {
  const balance = event["wallet_balance"] as Money | undefined;
  if (!balance || BUSINESS_BALANCES.has(event.event)) return;
  const known = wallets.value.get();
  if (!known?.some(({ currency }) => currency === balance.currency)) {
    void wallets.refresh();
    return;
  }
  wallets.value.set(
    known.map((wallet) =>
      wallet.currency === balance.currency
        ? {
            ...wallet,
            posted: balance.amount + wallet.held,
            available: balance.amount,
          }
        : wallet,
    ),
  );
}
