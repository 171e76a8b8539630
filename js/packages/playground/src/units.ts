/** Quantities as people read them. */

const STEPS = ["B", "KiB", "MiB", "GiB"] as const;

/** Write a count of bytes with a binary unit: `0 B`, `1.5 KiB`, `5 MiB`. */
export function bytesText(bytes: number): string {
  let value = bytes;
  let step = 0;
  while (value >= 1024 && step < STEPS.length - 1) {
    value /= 1024;
    step += 1;
  }
  const digits = step > 0 && value < 100 ? 1 : 0;
  return `${value.toFixed(digits).replace(/\.0$/, "")} ${STEPS[step] ?? ""}`;
}

/** Write milliseconds with about three figures, without a unit: `0.42`, `3.1`, `128`. */
export function millisecondsText(ms: number): string {
  if (ms < 1) return ms.toFixed(2);
  return ms < 100 ? ms.toFixed(1) : ms.toFixed(0);
}
