import { expect, it } from "vitest";
import { Inbox, keptBytes } from "../../src/protocol/inbox.js";
import { DEFAULT_LIMITS } from "../../src/protocol/limits.js";
import type { JsonObject } from "../../src/protocol/messages.js";
import { newHeader, newMessage } from "../../src/protocol/messages.js";

const header = newHeader("comm_msg", { msg_id: "m", session: "s", now_ms: 0 });
const message = (content: JsonObject) => newMessage("iopub", header, { content });

it("gives back in order and counts what it holds", () => {
  const inbox = new Inbox();
  const [a, b] = [message({ n: 1 }), message({ n: 22 })];
  inbox.put(a);
  inbox.put(b);
  expect([inbox.length, inbox.nbytes]).toEqual([2, keptBytes(a) + keptBytes(b)]);
  expect([inbox.take(), inbox.take(), inbox.take()]).toEqual([a, b, null]);
  expect(inbox.nbytes).toBe(0);
});

it("counts bytes: text as UTF-8, binary inside the data, buffers", () => {
  const content = { data: { text: "通", pixels: new Float64Array(4) } };
  const whole = newMessage("iopub", header, { content, buffers: [new Uint8Array(5)] });
  const json = '{"data":{"text":"通","pixels":null}}';
  expect(keptBytes(whole)).toBe(new TextEncoder().encode(json).byteLength + 32 + 5);
});

it("drops the oldest above its bytes, but never the newest", () => {
  const inbox = new Inbox({ ...DEFAULT_LIMITS, max_kept_bytes: 20 });
  inbox.put(message({ n: 1 }));
  const large = message({ text: "x".repeat(100) });
  expect(inbox.put(large)).toBe(1);
  expect([inbox.take(), inbox.dropped]).toEqual([large, 1]);
});
