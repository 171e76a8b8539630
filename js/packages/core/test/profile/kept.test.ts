import { describe, expect, it } from "vitest";
import { Kept, MAX_OPEN_BYTES } from "../../src/profile/kept.js";
import { DEFAULT_LIMITS } from "../../src/protocol/limits.js";
import type { CommType, Message } from "../../src/protocol/messages.js";
import { newHeader, newMessage } from "../../src/protocol/messages.js";

function message(msg_type: CommType, n = 0): Message {
  const header = newHeader(msg_type, { msg_id: String(n), session: "s", now_ms: 0 });
  return newMessage("iopub", header, { content: { comm_id: "c", data: { n } } });
}

const open = message("comm_open");
const fill = (kept: Kept, count: number) => {
  kept.put(open, 10);
  for (let n = 0; n < count; n += 1) kept.put(message("comm_msg", n), 10);
  return kept.messages();
};

describe("what is kept of a comm", () => {
  it("is its open and the newest messages", () => {
    const newest = [3, 4].map((n) => message("comm_msg", n));
    expect(fill(new Kept(2), 5)).toEqual([open, ...newest]);
  });

  it("is nothing but the open, unless asked for", () => {
    expect(fill(new Kept(), 1)).toEqual([open]);
  });

  it("is bounded in bytes", () => {
    const limits = { ...DEFAULT_LIMITS, max_history_bytes: 25 };
    expect(fill(new Kept(100, limits), 5)).toHaveLength(3);
  });

  it("is nothing where the open is large", () => {
    const kept = new Kept(5);
    kept.put(open, MAX_OPEN_BYTES + 1);
    kept.put(message("comm_msg"), 10);
    expect(kept.messages()).toEqual([]);
  });
});
