// What the views compute, against the cases that Python's twins are tested with (tests/test_js_twins.py).
//
//   node --test tests/js

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { placeRows, plan, poolSignedMax } from "../../src/leadwise/explorers/static/ecg_canvas.js";
import { columnsFor } from "../../src/leadwise/explorers/static/map_canvas.js";
import { number, percent } from "../../src/leadwise/explorers/static/shared.js";

const cases = JSON.parse(readFileSync(new URL("cases.json", import.meta.url), "utf-8"));
const LEADS = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"];
const LOOK = { leads: LEADS, pulse_seconds: 0.2, pulse_mv: 1, speed: 25, gain: 10, between: 7.5, closest: 20, widest: 40 };

test("numbers", () => {
  for (const [value, text] of cases.number) assert.equal(number(value), text, String(value));
});

test("per cent", () => {
  for (const [fraction, text] of cases.percent) assert.equal(percent(fraction), text, String(fraction));
});

test("pooling keeps the largest magnitude with its sign", () => {
  for (const [values, columns, pooled] of cases.pool) assert.deepEqual(Array.from(poolSignedMax(values, columns)), pooled);
});

for (const one of cases.plan) {
  test(`plan: ${one.says}`, () => {
    const ecg = { samples: one.samples, fs: one.fs, first: 0, quantised: new Int16Array(0) };
    const show = { leads: one.leads, columns: one.columns, sequential: one.sequential, zoom: 1, left: 0 };
    const page = plan(ecg, show, LOOK);
    assert.equal(page.width, one.width);
    assert.equal(page.sequential, one.together);
    assert.equal(page.strips.length, one.strips.length);
    for (const [i, [lead, row, left, begin, end]] of one.strips.entries()) {
      const strip = page.strips[i];
      assert.deepEqual([strip.lead, strip.row, strip.begin, strip.end], [lead, row, begin, end]);
      assert.ok(Math.abs(strip.left - left) < 1e-9, `${strip.left} ${left}`);
    }
  });
}

for (const one of cases.rows) {
  test(`rows: ${one.says}`, () => {
    const strips = one.low.map((_, row) => ({ lead: row, row })), ranges = one.low.map((low, i) => ({ low, high: one.high[i] }));
    const rows = placeRows(strips, ranges, () => one.label, LOOK);
    assert.deepEqual(rows.base, one.base);
    assert.equal(rows.height, one.height);
    for (let i = 0; i + 1 < rows.base.length; i++) assert.ok(rows.bottom[i] < rows.top[i + 1]); // lanes do not meet
  });
}

test("tiles are as large as the screen has room for, and fill their rows evenly", () => {
  assert.equal(columnsFor(7, 600, 560), 4); // 2 x (139.5 + 95); three columns would take 3 x (190.7 + 95)
  assert.equal(columnsFor(7, 600, 900), 3);
  assert.equal(columnsFor(2, 2000, 560), 2);
  assert.equal(columnsFor(9, 100, 560), 1);
});
