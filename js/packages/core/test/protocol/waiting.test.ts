import { expect, it } from "vitest";
import { keptBytes } from "../../src/protocol/inbox.js";
import { DEFAULT_LIMITS } from "../../src/protocol/limits.js";
import type { Message } from "../../src/protocol/messages.js";
import { newHeader, newMessage } from "../../src/protocol/messages.js";
import { WaitingRoom } from "../../src/protocol/waiting.js";

function message(msg_type: string, n = 0): Message {
  const header = newHeader(msg_type, { msg_id: "", session: "s", now_ms: 0 });
  return newMessage("iopub", header, { content: { data: { n } } });
}

function numbers(messages: readonly Message[]): [string, number][] {
  return messages.map(({ header, content }) => [
    header.msg_type,
    (content.data as { n: number }).n,
  ]);
}

const smallRoom = () => new WaitingRoom({ ...DEFAULT_LIMITS, max_kept_messages: 3 });

it("gives each comm of the target whole and in order", () => {
  const room = new WaitingRoom();
  room.open("c1", "t", message("comm_open", 1));
  room.open("c2", "t", message("comm_open", 2));
  room.open("c3", "other", message("comm_open", 3));
  room.put("c1", message("comm_msg", 4));
  expect(numbers(room.take("t"))).toEqual([
    ["comm_open", 1],
    ["comm_msg", 4],
    ["comm_open", 2],
  ]);
  expect([room.has("c1"), room.has("c3")]).toEqual([false, true]);
  expect(room.take("t")).toEqual([]);
});

it("drops the comm that waited longest, whole", () => {
  const room = smallRoom();
  room.open("c1", "t", message("comm_open", 1));
  room.put("c1", message("comm_msg", 2));
  room.open("c2", "t", message("comm_open", 3));
  room.put("c2", message("comm_msg", 4));
  expect(numbers(room.take("t"))).toEqual([
    ["comm_open", 3],
    ["comm_msg", 4],
  ]);
  expect(room.dropped).toBe(2);
});

it("keeps the open and the newest messages of a single comm", () => {
  const room = smallRoom();
  room.open("c1", "t", message("comm_open", 0));
  for (let n = 1; n < 6; n += 1) room.put("c1", message("comm_msg", n));
  expect(numbers(room.take("t"))).toEqual([
    ["comm_open", 0],
    ["comm_msg", 4],
    ["comm_msg", 5],
  ]);
  expect(room.dropped).toBe(3);
});

it("is bounded in bytes too", () => {
  const max_kept_bytes = 2 * keptBytes(message("comm_open"));
  const room = new WaitingRoom({ ...DEFAULT_LIMITS, max_kept_bytes });
  for (const id of ["c1", "c2", "c3"]) room.open(id, "t", message("comm_open"));
  expect([room.has("c1"), room.dropped]).toEqual([false, 1]);
});

it("keeps one comm larger than the bound, with its newest message", () => {
  const room = new WaitingRoom({ ...DEFAULT_LIMITS, max_kept_bytes: 1 });
  room.open("c1", "t", message("comm_open", 0));
  room.put("c1", message("comm_msg", 1));
  expect(numbers(room.take("t"))).toHaveLength(2);
});

it("has room again for what was forgotten or taken", () => {
  const room = smallRoom();
  for (let i = 0; i < 3; i += 1) {
    room.open("c1", "t", message("comm_open"));
    room.put("c1", message("comm_msg"));
    room.forget("c1");
    room.open("c2", "t", message("comm_open"));
    room.take("t");
    room.open("c3", "t", message("comm_open"));
    room.clear();
  }
  expect(room.dropped).toBe(0);
});
