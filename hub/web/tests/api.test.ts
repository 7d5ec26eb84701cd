import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { access, call, NoAnswer, Problem } from "../src/api";
import { newKey } from "../src/attempt";

type Answer = () => Response;
let sent: Request[] = [];

function answers(...all: Answer[]): void {
  sent = [];
  globalThis.fetch = async (input, init) => {
    sent.push(new Request(new URL(String(input), "http://hub.test"), init));
    const next = all.shift();
    if (!next) throw new TypeError("network down");
    return next();
  };
}

const problem = (status: number, kind: string) => () =>
  new Response(JSON.stringify({ type: `https://bvester.com/problems/${kind}`, detail: "why" }), {
    status,
  });

beforeEach(() => {
  access.token = "old";
  access.renew = async () => {
    access.token = "new";
    return true;
  };
});

test("a 401 is met by one refresh and one repetition under the same key", async () => {
  answers(problem(401, "token_refused"), () => Response.json({ id: 7 }));
  assert.deepEqual(await call("POST", "/v1/investments", { body: {}, key: "k" }), { id: 7 });
  assert.deepEqual(
    sent.map(({ headers }) => [headers.get("authorization"), headers.get("idempotency-key")]),
    [
      ["Bearer old", "k"],
      ["Bearer new", "k"],
    ],
  );
});

test("a second 401 is given up on", async () => {
  answers(problem(401, "token_refused"), problem(401, "token_refused"));
  await assert.rejects(call("GET", "/v1/me"), { status: 401, kind: "token_refused" });
  assert.equal(sent.length, 2);
});

test("no answer is told apart from a refusal", async () => {
  answers();
  await assert.rejects(call("GET", "/v1/me"), NoAnswer);
  answers(problem(422, "insufficient_funds"));
  await assert.rejects(call("GET", "/v1/me"), Problem);
});

test("an answer cut off in the middle is no answer", async () => {
  answers(() => new Response('{"id":'));
  await assert.rejects(call("GET", "/v1/me"), NoAnswer);
});

test("only what may pass is worth repeating", () => {
  const passing = (status: number, kind = "") => new Problem(status, kind, "", {}).passing;
  assert.ok(passing(503) && passing(429) && passing(409, "idempotency_key_in_flight"));
  assert.ok(!passing(409, "conflict") && !passing(422) && !passing(400) && !passing(401));
});

test("keys are UUIDs and never the same", () => {
  const keys = Array.from({ length: 100 }, newKey);
  assert.equal(new Set(keys).size, 100);
  for (const key of keys) assert.match(key, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});
