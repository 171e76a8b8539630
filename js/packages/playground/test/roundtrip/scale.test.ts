import { expect, test } from "vitest";
import { SHORTEST_MS, marksAround, position, thinned } from "../../src/roundtrip/scale.js";

test.each([
  [3, 40, [2, 5, 10, 20, 50]],
  [5, 5, [5, 10]],
  [0.3, 0.4, [0.2, 0.5]],
  [99, 101, [50, 100, 200]],
  [0, 0.011, [0.01, 0.02]],
])("marks around %d to %d ms are %j", (low, high, marks) => {
  expect(marksAround(low, high)).toEqual(marks);
});

test("marks always enclose what they are made for", () => {
  for (let low = 0.013; low < 20_000; low *= 1.7) {
    for (let high = low; high < 50_000; high *= 2.3) {
      const marks = marksAround(low, high);
      expect(marks[0]).toBeLessThanOrEqual(low);
      expect(marks.at(-1)).toBeGreaterThanOrEqual(high);
    }
  }
});

test("too many marks are thinned to powers of ten", () => {
  expect(thinned([0.1, 0.2, 0.5, 1, 2, 5, 10], 6)).toEqual([0.1, 1, 10]);
  expect(thinned([1, 2, 5], 6)).toEqual([1, 2, 5]);
  expect(thinned([2, 5, 10, 20], 3)).toEqual([2, 20]);
});

test("a time of nothing has a place, too", () => {
  expect(position(0)).toBe(Math.log10(SHORTEST_MS));
});
