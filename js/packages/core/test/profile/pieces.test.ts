import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RemoteProtocolError } from "../../src/errors.js";
import { Joiner, PIECE_BYTES, cut, dropped } from "../../src/profile/pieces.js";
import { DEFAULT_LIMITS } from "../../src/protocol/limits.js";
import type { JsonObject, Message } from "../../src/protocol/messages.js";
import { newHeader, newMessage } from "../../src/protocol/messages.js";
import { readSpec, vectorPaths } from "../spec.js";

const header = newHeader("comm_msg", { msg_id: "1", session: "s", now_ms: 0 });

function message(buffers: readonly Uint8Array[] = [], data: JsonObject = {}): Message {
  const content = { comm_id: "c", data };
  return newMessage("shell", header, { metadata: { k: [1] }, content, buffers });
}

function piecesOf(whole: Message, piece_bytes?: number): Message[] {
  const { total, pieces } = cut(whole, piece_bytes);
  const all = [];
  for (let one = pieces.next(); one.done !== true; one = pieces.next()) all.push(one.value);
  expect(all.reduce((sum, { nbytes }) => sum + nbytes, 0)).toBe(total);
  return all.map((piece) => piece.message);
}

function joined(parts: readonly Message[]): Message[] {
  const joiner = new Joiner();
  return parts.map((one) => joiner.take(one)).filter((whole) => whole !== null);
}

const bytesOf = ({ buffers }: Message) => buffers.reduce((sum, view) => sum + view.byteLength, 0);

describe("pieces", () => {
  it("of any size give the message again", () => {
    const buffers = fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 5 });
    fc.assert(
      fc.property(buffers, fc.integer({ min: 1, max: 100 }), (views, size) => {
        const whole = message(views, { t: "通信" });
        const parts = piecesOf(whole, size);
        expect(parts.every((part) => bytesOf(part) <= size)).toBe(true);
        expect(joined(parts)).toEqual([whole]);
      }),
    );
  });

  it("have at most so many bytes, the header of the whole, and nothing of its content", () => {
    const parts = piecesOf(message([new Uint8Array(3 * PIECE_BYTES)]));
    expect(parts.map(bytesOf).slice(0, 3)).toEqual([PIECE_BYTES, PIECE_BYTES, PIECE_BYTES]);
    expect(parts).toHaveLength(4);
    for (const part of parts) {
      expect([part.header, part.content]).toEqual([header, { comm_id: "c", data: {} }]);
    }
  });

  it("hold large JSON too", () => {
    const whole = message([], { text: "x".repeat(2 * PIECE_BYTES) });
    const parts = piecesOf(whole);
    expect(parts).toHaveLength(3);
    expect(joined(parts)).toEqual([whole]);
  });

  it("of a message that was dropped, or whose beginning is missing, are never joined", () => {
    const whole = message([new Uint8Array(3 * PIECE_BYTES)]);
    const parts = piecesOf(whole);
    const after = message([new Uint8Array([1])]);
    expect(joined([...parts.slice(0, 2), dropped(whole), after])).toEqual([after]);
    expect(joined([...parts.slice(2), after])).toEqual([after]);
    expect(joined([...parts.slice(0, 2), after, ...parts.slice(2)])).toEqual([after]);
  });
});

it.each<[unknown, string]>([
  [[], "expected an object"],
  [{ sizes: "many" }, "expected sizes"],
  [{ sizes: [] }, "expected sizes"],
  [{ sizes: [-1] }, "expected sizes"],
  [{ sizes: [true] }, "expected sizes"],
  [{ sizes: [2 ** 52] }, "max_joined_bytes"],
  [{ sizes: [2 ** 27, 1] }, "max_json_bytes"],
  [{ sizes: Array.from({ length: 5000 }, () => 1) }, "max_buffers"],
  [{ sizes: [1] }, "more bytes"],
  [{ sizes: [3] }, "piece: "],
])("the malformed piece %j is a fault, and the next message is well", (piece, about) => {
  const bad = { ...message([new Uint8Array([97, 98, 99])]), metadata: { tsushin: { piece } } };
  const joiner = new Joiner(DEFAULT_LIMITS);
  expect(() => joiner.take(bad)).toThrow(about);
  expect(joiner.isJoining).toBe(false);
  const after = message();
  expect(joiner.take(after)).toBe(after);
});

it("is a fault where there is no memory for a message", () => {
  const bad = { ...message(), metadata: { tsushin: { piece: { sizes: [2, 2 ** 51] } } } };
  const joiner = new Joiner({ ...DEFAULT_LIMITS, max_joined_bytes: 2 ** 52 });
  expect(() => joiner.take(bad)).toThrow("no memory");
});

interface Vector {
  readonly pieces: readonly { piece: JsonObject; buffers: string[] }[];
  readonly messages: readonly JsonObject[];
}

function given(path: string): Message[] {
  const { pieces } = readSpec(path) as Vector;
  return pieces.map(({ piece, buffers }) => {
    const views = buffers.map((hex) => new Uint8Array(Buffer.from(hex, "hex")));
    return { ...message(views), metadata: { tsushin: { piece } } };
  });
}

it.each(vectorPaths("pieces", "valid"))("%s comes to its messages", (path) => {
  const found = joined(given(path)).map(({ parent_header, metadata, content, buffers }) => {
    const hex = buffers.map((view) => Buffer.from(view).toString("hex"));
    return { parent_header, metadata, content, buffers: hex };
  });
  expect(found).toEqual((readSpec(path) as Vector).messages);
});

it.each(vectorPaths("pieces", "invalid"))("%s is a fault", (path) => {
  expect(() => joined(given(path))).toThrow(RemoteProtocolError);
});
