import fc from "fast-check";
import { describe, it } from "vitest";
import type { Header, JsonObject, Message } from "../../src/protocol/messages.js";
import { CHANNELS, newMessage } from "../../src/protocol/messages.js";
import { Signer } from "../../src/wire/signing.js";
import * as wsDefault from "../../src/wire/ws_default.js";
import * as wsV1 from "../../src/wire/ws_v1.js";
import * as zmq from "../../src/wire/zmq.js";
import { expectSame } from "./cases.js";

const text = fc.string({ unit: "binary" });
/** JSON as a wire carries it: what `JSON.stringify` does to it has been done. */
const object = fc
  .dictionary(text, fc.jsonValue())
  .map((value) => JSON.parse(JSON.stringify(value)) as JsonObject);
const header: fc.Arbitrary<Header> = fc
  .record({ msg_id: text, msg_type: text, session: text })
  .map((own) => ({ ...own, username: "", date: "", version: "5.4" }));

function messages(identities: fc.Arbitrary<Uint8Array[]>): fc.Arbitrary<Message> {
  const rest = fc.record({
    parent_header: object,
    metadata: object,
    content: object,
    buffers: fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 5 }),
    identities,
  });
  return fc
    .tuple(fc.constantFrom(...CHANNELS), header, rest)
    .map(([channel, head, parts]) => newMessage(channel, head, parts));
}

const none = fc.constant<Uint8Array[]>([]);
const some = fc.array(fc.uint8Array({ minLength: 1, maxLength: 8 }), { maxLength: 3 });

describe("any message survives encoding and decoding", () => {
  it("by ws-v1", () => {
    fc.assert(
      fc.property(messages(none), (message) => {
        expectSame(wsV1.decode(wsV1.encode(message)), message);
      }),
    );
  });

  it("by ws-default", () => {
    fc.assert(
      fc.property(messages(none), (message) => {
        expectSame(wsDefault.decode(wsDefault.encode(message)), message);
      }),
    );
  });

  it.each(["", "secret"])("by zmq, key %j", (key) => {
    fc.assert(
      fc.property(messages(some), (message) => {
        const frames = zmq.encode(message, new Signer(key));
        expectSame(zmq.decode(frames, message.channel, new Signer(key)), message);
      }),
    );
  });
});
