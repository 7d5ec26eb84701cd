import assert from "node:assert/strict";
import { test } from "node:test";

import { en } from "../src/words/en";
import { fr } from "../src/words/fr";
import { sw } from "../src/words/sw";

const slots = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(([slot]) => slot).sort();

test("every language fills the same slots as English", () => {
  for (const words of [sw, fr]) {
    for (const [key, text] of Object.entries(en)) {
      assert.deepEqual(slots(words[key as keyof typeof en]), slots(text), key);
    }
  }
});

test("no text is left empty", () => {
  for (const words of [en, sw, fr]) {
    for (const [key, text] of Object.entries(words)) assert.ok(text.trim(), key);
  }
});
