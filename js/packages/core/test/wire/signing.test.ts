import { expect, it } from "vitest";
import { SignatureError } from "../../src/errors.js";
import { DEFAULT_LIMITS } from "../../src/protocol/limits.js";
import { Signer } from "../../src/wire/signing.js";

const parts = ["{}", "{}", "{}", "{}"].map((text) => new TextEncoder().encode(text));
const other = [...parts.slice(0, 3), new TextEncoder().encode('{"a":1}')];

it("refuses what it has accepted before", () => {
  const signer = new Signer("key");
  const signature = signer.sign(parts);
  signer.verify(signature, parts);
  expect(() => signer.verify(signature, parts)).toThrow("signature: it was used before");
});

it("does not remember a signature that it refused", () => {
  const signer = new Signer("key");
  const signature = signer.sign(parts);
  expect(() => signer.verify(signature, other)).toThrow(SignatureError);
  expect(() => signer.verify(signature, parts)).not.toThrow();
});

it("remembers no more signatures than its limit", () => {
  const signer = new Signer("key", "hmac-sha256", { ...DEFAULT_LIMITS, max_signatures: 1 });
  signer.verify(signer.sign(parts), parts);
  signer.verify(signer.sign(other), other);
  expect(() => signer.verify(signer.sign(parts), parts)).not.toThrow();
});

it("says nothing of the signature or the key in its errors", () => {
  const signer = new Signer("secret");
  const wrong = new TextEncoder().encode("f".repeat(64));
  expect(() => signer.verify(wrong, parts)).toThrow(/^signature: it does not match the message$/);
});

it("refuses a scheme it does not have", () => {
  expect(() => new Signer("key", "hmac-md5")).toThrow(RangeError);
});
