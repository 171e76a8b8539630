/**
 * A logarithmic scale for times: one slow round trip must not flatten all the others. Values are in
 * milliseconds; marks are 1, 2 and 5 times powers of ten.
 */

/** Times shorter than this are drawn as this. */
export const SHORTEST_MS = 0.01;
const STEPS = [1, 2, 5] as const;

/** Where a time is on the scale. */
export function position(ms: number): number {
  return Math.log10(Math.max(ms, SHORTEST_MS));
}

/** Return the marks from the last one at or below `low` to the first at or above `high`; at least two. */
export function marksAround(low: number, high: number): number[] {
  const marks = allMarks(Math.floor(position(low)), Math.ceil(position(high)) + 1);
  const first = marks.findLastIndex((mark) => mark <= Math.max(low, SHORTEST_MS));
  const last = marks.findIndex((mark) => mark >= high && mark > (marks[first] ?? 0));
  return marks.slice(Math.max(first, 0), last + 1);
}

/** Thin out marks to at most `most`, keeping powers of ten before others. */
export function thinned(marks: readonly number[], most: number): number[] {
  if (marks.length <= most) return [...marks];
  const tens = marks.filter((mark) => Number.isInteger(Math.round(Math.log10(mark) * 1e6) / 1e6));
  return tens.length >= 2 ? tens : [...marks.slice(0, 1), ...marks.slice(-1)];
}

/** Marks of whole decades; written out so that 0.1 is exactly 0.1. */
function allMarks(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, at) =>
    STEPS.map((step) => Number(`${step}e${from + at}`)),
  ).flat();
}
