import { createHash, createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Hmac, Sha256, Sha512 } from "../../src/wire/sha2.js";
import { hex } from "../hex.js";

describe.each([
  ["sha256", Sha256],
  ["sha512", Sha512],
] as const)("%s", (name, Hash) => {
  it("hashes as Node does, whatever the lengths and the cuts", () => {
    const parts = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 });
    fc.assert(
      fc.property(parts, (given) => {
        const ours = new Hash();
        const theirs = createHash(name);
        for (const part of given) {
          ours.update(part);
          theirs.update(part);
        }
        expect(hex(ours.digest())).toBe(theirs.digest("hex"));
      }),
    );
  });

  it("makes the codes Node makes, for keys below and above one block", () => {
    const key = fc.uint8Array({ minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(key, fc.uint8Array({ maxLength: 300 }), (secret, text) => {
        const theirs = createHmac(name, secret).update(text).digest("hex");
        expect(hex(new Hmac(secret, Hash).digest([text]))).toBe(theirs);
      }),
    );
  });
});
