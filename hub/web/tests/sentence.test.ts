import assert from "node:assert/strict";
import { test } from "node:test";

import { sentence } from "../src/sentence";
import type { HubEvent } from "../src/types";
import { speech } from "../src/words";

const kes = (amount: number) => ({ amount, currency: "KES" });
const said = (event: string, fields: Record<string, unknown>) => {
  const { text } = sentence({ event, id: "1", at: 0, ...fields } as HubEvent, speech.get());
  return text.replace(/\u00a0/g, " ");
};
const offering = { offering_title: "A cold store", business_name: "Ziwa Fresh Fish" };

test("events of money are told with their amounts", () => {
  assert.equal(said("payment.settled", { amount: kes(500000) }), "KES 5,000 arrived in your wallet.");
  assert.equal(
    said("investment.made", {
      ...offering,
      investor_name: "Ada Obi",
      amount: kes(200000),
      raised: kes(11200000),
      target: kes(12000000),
    }),
    "Ada Obi invested KES 2,000 in A cold store. Raised so far: KES 112,000 of KES 120,000.",
  );
  assert.equal(
    said("escrow.released", { ...offering, amount: kes(12000000) }),
    "KES 120,000 from A cold store was paid out to Ziwa Fresh Fish.",
  );
});

test("an answer by SMS says so", () => {
  const fields = { sender_name: "Otieno", sent_via: "sms" };
  assert.equal(said("message.sent", fields), "Otieno answered you by SMS.");
});

test("an event of a later version of the hub is still told", () => {
  assert.equal(said("harvest.brought_in", {}), "News: harvest brought in");
});

test("a title with slots in it is not filled in", () => {
  const text = said("investment.confirmed", { amount: kes(100), offering_title: "{amount}" });
  assert.match(text, /KES 1 in \{amount\}/);
});
