import { expect, it } from "vitest";
import { readControl } from "../../src/profile/control.js";
import { Peer } from "../../src/profile/peer.js";
import { newHeader, newMessage } from "../../src/protocol/messages.js";

function peer(): Peer {
  const header = newHeader("comm_open", { msg_id: "m", session: "s", now_ms: 0 });
  const data = { profile: 1, session: "s", epoch: "e", sent: { c: 4 } };
  const hello = newMessage("shell", header, { content: { comm_id: "x", data } });
  return new Peer(readControl(hello), "tsushin.session.s", new Map());
}

it("begins a sequence after what the hello named", () => {
  const one = peer();
  expect([one.sequence("c").next, one.sequence("other").next]).toEqual([5, 1]);
  expect(one.sequence("c")).toBe(one.sequence("c"));
});

it("has seen what arrived or was before", () => {
  const one = peer();
  one.sequence("other").next = 8;
  expect(one.seen()).toEqual({ c: 4, other: 7 });
});

it("is due at the earliest of its times", () => {
  const one = peer();
  expect(one.deadline()).toBe(Infinity);
  [one.repeatAt, one.askAt] = [5, 3];
  expect(one.deadline()).toBe(3);
});
