import { describe, expect, it } from "vitest";
import { Signer } from "../../src/wire/signing.js";
import { decode, encode } from "../../src/wire/zmq.js";
import type { Case } from "./cases.js";
import { bytes, hex } from "../hex.js";
import { cases, expectRefused, expectSame, limitsOf, messageOf } from "./cases.js";

const framesOf = (given: Case) => (given.frames ?? []).map(bytes);
const signerOf = (given: Case) => new Signer(given.key, given.scheme, limitsOf(given));

describe.each(cases("zmq", "valid"))("zmq valid $name", (given) => {
  it("decodes to its message", () => {
    const message = messageOf(given);
    const decoded = decode(framesOf(given), message.channel, signerOf(given), limitsOf(given));
    expectSame(decoded, message);
  });

  it("survives encoding and decoding", () => {
    const message = messageOf(given);
    const frames = encode(message, signerOf(given));
    if (given.flags.includes("canonical")) expect(frames.map(hex)).toEqual(given.frames);
    expectSame(decode(frames, message.channel, signerOf(given), limitsOf(given)), message);
  });
});

describe.each(cases("zmq", "invalid"))("zmq invalid $name", (given) => {
  it("is refused with its error", () => {
    const signer = signerOf(given);
    const attempt = () => decode(framesOf(given), "shell", signer, limitsOf(given));
    for (let i = 1; i < (given.repeat ?? 1); i++) attempt();
    expectRefused(given, attempt);
  });
});
