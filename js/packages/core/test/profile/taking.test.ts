/** Who asks for what when comms are taken up; the twin of `tests/profile/test_taking.py`. */
import { expect, it } from "vitest";
import { readControl } from "../../src/profile/control.js";
import type { ProfileEvent } from "../../src/profile/events.js";
import { Peer } from "../../src/profile/peer.js";
import { Incoming } from "../../src/profile/sequence.js";
import { Taking } from "../../src/profile/taking.js";
import type { JsonObject } from "../../src/protocol/messages.js";
import { newHeader, newMessage } from "../../src/protocol/messages.js";

const header = newHeader("comm_open", { msg_id: "m", session: "k", now_ms: 0 });
const open = newMessage("iopub", header, { content: { comm_id: "c", data: {} } });

function world(features = ["restore"]) {
  const data = { profile: 1, session: "s", epoch: "e", features };
  const hello = readControl(newMessage("shell", header, { content: { comm_id: "x", data } }));
  const peer = new Peer(hello, "tsushin.session.s", new Map());
  const peers = new Map([["s", peer]]);
  const told: JsonObject[] = [];
  const events: ProfileEvent[] = [];
  const opened: string[] = [];
  const restarted: [string, number][] = [];
  const taking = new Taking({
    peers,
    outbox: { number: new Map([["c", 7]]), kept: (id) => (id === "c" ? [open] : []) },
    arrivals: { restart: (_peer, id, number) => (restarted.push([id, number]), []) },
    tell: (_peer, said) => void told.push(said),
    event: (event) => void events.push(event),
    openComms: () => opened,
  });
  return { peer, peers, told, events, opened, restarted, taking };
}

it("asks, and is told once", () => {
  const { taking, told, events, restarted, peer } = world();
  taking.restore(["c", "d"], 0);
  expect(told).toEqual([{ restore: ["c", "d"] }]);
  taking.take(peer, "c", 7, [open], 0);
  taking.take(peer, "c", 7, [open], 0);
  expect(events).toEqual([{ type: "taken", comm_id: "c", messages: [open] }]);
  expect(restarted).toEqual([["c", 7]]);
});

it("asks once more where the answer is older than what came since", () => {
  const { taking, told, events, peer } = world();
  taking.restore(["c"], 0);
  peer.incoming.set("c", new Incoming(9));
  expect(taking.take(peer, "c", 7, [open], 0)).toEqual([]);
  expect([told.slice(1), events]).toEqual([[{ restore: ["c"] }], []]);
});

it("lets a comm that is open go on where it is", () => {
  const { taking, opened, restarted, events, peer } = world();
  opened.push("c");
  taking.restore(["c"], 0);
  taking.take(peer, "c", 7, [open], 0);
  expect([events.length, restarted]).toEqual([1, []]);
});

it("ends with nobody to ask", () => {
  const { taking, events, peers } = world();
  taking.restore(["c"], 0);
  taking.endAll();
  peers.clear();
  taking.restore(["d"], 0);
  const taken = (comm_id: string) => ({ type: "taken", comm_id, messages: [] });
  expect(events).toEqual([taken("c"), taken("d")]);
});

it("tells the number and what is kept, at a kernel end", () => {
  const { taking, told } = world();
  taking.restored("s", ["c", "other"], 0);
  taking.reopened("s", open, 0);
  taking.withhold("s", ["x"], 0);
  taking.withhold("nobody", ["x"], 0);
  expect(told.map(({ restored }) => restored)).toEqual([
    { c: 7 },
    { other: 0 },
    { c: 7 },
    undefined,
  ]);
  expect(told[3]).toEqual({ withheld: ["x"] });
});

it("does not ask who does not know of it", () => {
  expect([world().taking.canRestore(), world([]).taking.canRestore()]).toEqual([true, false]);
});
