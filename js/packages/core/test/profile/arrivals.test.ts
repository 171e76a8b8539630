/** The receiving half alone; the twin of `tests/profile/test_arrivals.py`. */
import { describe, expect, it } from "vitest";
import { RemoteProtocolError } from "../../src/errors.js";
import { Arrivals, MAX_ASKS } from "../../src/profile/arrivals.js";
import { controlId, readControl, withEntry } from "../../src/profile/control.js";
import type { ProfileEvent } from "../../src/profile/events.js";
import { Peer } from "../../src/profile/peer.js";
import { DEFAULT_LIMITS } from "../../src/protocol/limits.js";
import type { JsonObject, Message } from "../../src/protocol/messages.js";
import { newHeader, newMessage } from "../../src/protocol/messages.js";

const header = newHeader("comm_msg", { msg_id: "m", session: "s", now_ms: 0 });
const message = (comm_id: string, data: JsonObject) =>
  newMessage("shell", header, { content: { comm_id, data } });
const numbersOf = (messages: readonly Message[]) =>
  messages.map(({ content }) => (content.data as JsonObject).n);

/** One peer, and what was said to it. */
class World {
  readonly peer: Peer;
  readonly said: JsonObject[] = [];
  readonly told: JsonObject[] = [];
  readonly events: ProfileEvent[] = [];
  readonly read: unknown[] = [];
  readonly arrivals: Arrivals;

  constructor() {
    const hello = readControl(message("x", { profile: 1, session: "s", epoch: "e" }));
    this.peer = new Peer(hello, controlId("s"), new Map());
    this.arrivals = new Arrivals({
      session: "me",
      peers: new Map([["s", this.peer]]),
      limits: DEFAULT_LIMITS,
      say: (_comm_id, data) => void this.said.push(data),
      tell: (_peer, data) => void this.told.push(data),
      event: (event) => void this.events.push(event),
      takeIn: (_peer, { content }) => {
        const data = content.data as JsonObject;
        if (data.bad === 1) throw new RemoteProtocolError("bad");
        this.read.push(data);
        return [];
      },
    });
  }

  send(n: number, entry: JsonObject = {}, comm_id = "c", data: JsonObject = { n }): unknown[] {
    const numbered = withEntry(message(comm_id, data), { n, ...entry });
    return numbersOf(this.arrivals.receive(numbered, 0));
  }
}

describe("what arrives", () => {
  it("is handed on in order, each once", () => {
    const world = new World();
    expect([1, 3, 1, 2].map((n) => world.send(n))).toEqual([[1], [], [], [2, 3]]);
  });

  it("is asked for where it is missing, at once and again, and then given up", () => {
    const world = new World();
    world.send(1);
    world.send(3);
    const want = { want: { c: [2, 2] } };
    expect(world.said).toEqual([want]);
    for (let asked = 1; asked < MAX_ASKS; asked += 1) {
      world.arrivals.askAgain(world.peer, 2 ** asked);
    }
    expect(world.said).toEqual(Array.from({ length: MAX_ASKS }, () => want));
    world.arrivals.askAgain(world.peer, 60);
    expect(world.events).toEqual([{ type: "gap", comm_id: "c", missed: 1 }]);
    expect(numbersOf(world.arrivals.released())).toEqual([3]);
  });

  it("is not asked for again before its time", () => {
    const world = new World();
    for (const n of [1, 10, 2, 3, 4, 9, 15]) world.send(n);
    expect(world.said).toEqual([{ want: { c: [2, 9] } }]);
    for (const n of [5, 6, 7, 8]) world.send(n);
    expect(world.said.slice(1)).toEqual([{ want: { c: [11, 14] } }]);
  });

  it("again is told once, however often", () => {
    const world = new World();
    for (let n = 1; n <= 10; n += 1) world.send(n);
    for (let n = 0; n < 300; n += 1) world.send(5);
    expect([world.said, world.peer.pending]).toEqual([[], 10]);
  });

  it("is told late, or after many", () => {
    const world = new World();
    world.send(1);
    expect([world.said, world.peer.ackAt]).toEqual([[], 0.5]);
    for (let n = 2; n <= 64; n += 1) world.send(n);
    expect(world.said).toEqual([{ seen: { c: 64 } }]);
  });

  it("for another session only counts", () => {
    const world = new World();
    expect(world.send(1, { to: "somebody else" })).toEqual([]);
    expect(world.send(2, { to: "me" })).toEqual([2]);
  });

  it("on a control comm is read in order, and no gap is told", () => {
    const world = new World();
    const { control } = world.peer;
    world.send(2, {}, control, { second: 1 });
    world.send(1, {}, control, { first: 1 });
    expect(world.read).toEqual([{ first: 1 }, { second: 1 }]);
    world.send(3, {}, control, { bad: 1 });
    world.arrivals.giveUp(world.peer, control, 9, 0);
    expect(world.events.map(({ type }) => type)).toEqual(["malformed"]);
  });

  it("before a restart is not handed on", () => {
    const world = new World();
    world.send(3);
    world.send(5);
    expect(numbersOf(world.arrivals.restart(world.peer, "c", 4, 0))).toEqual([5]);
  });
});

it("what became of comms has to arrive", () => {
  const world = new World();
  world.peer.accepted = ["a"];
  world.peer.refused = ["b"];
  world.arrivals.acknowledge(world.peer, 0);
  expect([world.said, world.told]).toEqual([[], [{ accepted: ["a"], refused: ["b"] }]]);
});
