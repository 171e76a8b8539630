/** Ids that are never used twice: the edge where randomness comes in. */

/** Return 128 random bits as hex. Unlike `crypto.randomUUID` this works on pages served by plain http. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
