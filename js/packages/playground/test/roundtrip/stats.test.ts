import { expect, test } from "vitest";
import { SampleWindow, percentile } from "../../src/roundtrip/stats.js";

test.each([
  [[], 50, null],
  [[7], 0, 7],
  [[7], 100, 7],
  [[1, 2, 3, 4], 50, 2],
  [[1, 2, 3, 4], 51, 3],
  [[1, 2, 3, 4], 95, 4],
  [Array.from({ length: 100 }, (_, at) => at + 1), 95, 95],
])("percentile of %j at %d is %s", (sorted, p, expected) => {
  expect(percentile(sorted, p)).toBe(expected);
});

test("a window keeps the newest and sorts by size, not as text", () => {
  const window = new SampleWindow(3);
  for (const took_ms of [500, 9, 100, 20]) window.add({ at_s: 0, took_ms });
  expect(window.samples.map((sample) => sample.took_ms)).toEqual([9, 100, 20]);
  expect(window.summary()).toEqual({ p50_ms: 20, p95_ms: 100, last_ms: 20 });
});

test("an empty window has no figures", () => {
  expect(new SampleWindow(3).summary()).toEqual({ p50_ms: null, p95_ms: null, last_ms: null });
});
