import assert from "node:assert/strict";
import { test } from "node:test";

import { decimal, exponentOf, formatMoney, parseMoney, percentOf } from "../src/money";

const plain = (text: string) => text.replace(/[\u00a0\u202f]/g, " ");

test("each currency has its own decimal places", () => {
  assert.deepEqual(["KES", "NGN", "ZAR", "UGX", "RWF", "XOF"].map(exponentOf), [2, 2, 2, 0, 0, 0]);
});

test("minor units become a decimal figure digit by digit", () => {
  assert.equal(decimal({ amount: 125050, currency: "KES" }), "1250.50");
  assert.equal(decimal({ amount: 5, currency: "KES" }), "0.05");
  assert.equal(decimal({ amount: -1, currency: "KES" }), "-0.01");
  assert.equal(decimal({ amount: 7000, currency: "UGX" }), "7000");
});

test("the largest storable amount is written exactly", () => {
  const money = { amount: Number.MAX_SAFE_INTEGER, currency: "KES" };
  assert.equal(plain(formatMoney(money, "en-KE")), "KES 90,071,992,547,409.91");
});

test("whole amounts lose their decimals only where short is asked for", () => {
  assert.equal(plain(formatMoney({ amount: 125000, currency: "KES" }, "en-KE")), "KES 1,250.00");
  assert.equal(plain(formatMoney({ amount: 125000, currency: "KES" }, "en-KE", true)), "KES 1,250");
  assert.equal(plain(formatMoney({ amount: 125050, currency: "KES" }, "en-KE", true)), "KES 1,250.50");
});

test("what is typed is read as whole minor units", () => {
  assert.deepEqual(parseMoney("1,250.5", "KES"), { amount: 125050, currency: "KES" });
  assert.deepEqual(parseMoney(" 10 000 ", "UGX"), { amount: 10000, currency: "UGX" });
  assert.deepEqual(parseMoney("0.29", "KES"), { amount: 29, currency: "KES" });
});

test("what is no amount of the currency is refused", () => {
  for (const text of ["", "0", "0.00", "-5", "1e3", "1.234", "12.", ".5", "ten", "1.2.3", "9".repeat(13)]) {
    assert.equal(parseMoney(text, "KES"), null, text);
  }
  assert.equal(parseMoney("1.5", "UGX"), null);
});

test("a target is at 100 percent only when all of it is there", () => {
  const target = { amount: 12_000_000, currency: "KES" };
  assert.equal(percentOf({ amount: 11_999_999, currency: "KES" }, target), 99);
  assert.equal(percentOf(target, target), 100);
  assert.equal(percentOf({ amount: 13_000_000, currency: "KES" }, target), 100);
  assert.equal(percentOf(target, { amount: 0, currency: "KES" }), 0);
});
