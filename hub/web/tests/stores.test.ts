import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { resource } from "../src/resource";
import { feed, forgetEverything, offerings, payments, take, takeOffering, wallets } from "../src/stores";
import type { HubEvent, Offering } from "../src/types";

const kes = (amount: number) => ({ amount, currency: "KES" });
const event = (kind: string, id: string, fields: Record<string, unknown> = {}): HubEvent => ({
  event: kind,
  id,
  at: 0,
  ...fields,
});
const settled = event("payment.settled", "e1", {
  payment_id: "p1",
  amount: kes(500),
  wallet_balance: kes(1500),
});

beforeEach(() => {
  forgetEverything();
  wallets.value.set([{ id: "w", currency: "KES", posted: 1000, held: 200, available: 800 }]);
  offerings.value.set([
    { id: "o", raised: kes(100), target: kes(1000), state: "open" } as unknown as Offering,
  ]);
});

test("an event that comes twice is told once", () => {
  take(settled, false);
  take(settled, false);
  assert.equal(feed.value.get()?.length, 1);
});

test("the balance an event carries is what can be spent", () => {
  take(settled, false);
  const [wallet] = wallets.value.get() ?? [];
  assert.deepEqual([wallet?.posted, wallet?.available], [1700, 1500]);
  assert.deepEqual(payments.get(), { p1: "settled" });
});

test("the business's balance is not mistaken for the person's", () => {
  take(event("escrow.released", "e2", { wallet_balance: kes(99) }), false);
  assert.equal(wallets.value.get()?.[0]?.posted, 1000);
});

test("what was raised never goes back because an older event comes late", () => {
  takeOffering(event("investment.made", "e3", { offering_id: "o", raised: kes(700) }));
  takeOffering(event("investment.made", "e4", { offering_id: "o", raised: kes(300) }));
  assert.equal(offerings.value.get()?.[0]?.raised.amount, 700);
  takeOffering(event("offering.funded", "e5", { offering_id: "o", raised: kes(1000) }));
  assert.equal(offerings.value.get()?.[0]?.state, "funded");
});

test("readings asked for while one runs are joined into one more", async () => {
  let readings = 0;
  const numbers = resource(async () => ++readings);
  await Promise.all([numbers.refresh(), numbers.refresh(), numbers.refresh()]);
  assert.equal(readings, 2);
  assert.equal(numbers.value.get(), 2);
});

test("a reading that ends after a sign-out is dropped", async () => {
  let answer: (value: number) => void = () => undefined;
  const numbers = resource(() => new Promise<number>((resolve) => (answer = resolve)));
  const reading = numbers.refresh();
  numbers.clear();
  answer(1);
  await reading;
  assert.equal(numbers.value.get(), null);
});
