import { describe, expect, it } from "vitest";
import { QueueFull } from "../../src/errors.js";
import type { Waiting } from "../../src/profile/flow.js";
import { Flight, Queue, waitingFor } from "../../src/profile/flow.js";
import { newHeader, newMessage } from "../../src/protocol/messages.js";

const header = newHeader("comm_msg", { msg_id: "m", session: "s", now_ms: 0 });

function waiting(
  n: number,
  { comm_id = "c", nbytes = 10, key = null as string | null } = {},
): Waiting {
  const message = newMessage("shell", header, { content: { comm_id, n } });
  return waitingFor(message, nbytes, { coalesce: key });
}

function taken(queue: Queue): unknown[] {
  const found: unknown[] = [];
  for (let one = queue.take(); one !== null; one = queue.take()) found.push(one.message.content.n);
  return found;
}

describe("Flight", () => {
  it("is full until something arrives", () => {
    const flight = new Flight();
    let sent = 0;
    while (flight.hasRoom()) flight.left("c", (sent += 1), 1);
    expect(sent).toBe(flight.window);
    flight.arrived("c", 10);
    expect([flight.hasRoom(), flight.count, flight.nbytes]).toEqual([true, sent - 10, sent - 10]);
  });

  it("is full with a window of bytes under way", () => {
    const flight = new Flight();
    flight.left("c", 1, 4 * 2 ** 20 - 1);
    expect(flight.hasRoom()).toBe(true);
    flight.left("c", 2, 1e9);
    expect(flight.hasRoom()).toBe(false);
  });

  it("halves its window once for losses at one time, and grows with arrivals", () => {
    const flight = new Flight();
    const before = flight.window;
    flight.lost(1);
    flight.lost(1.1);
    expect(flight.window).toBe(before / 2);
    for (let at = 2; at < 20; at += 1) flight.lost(at);
    expect(flight.window).toBe(32);
    for (let n = 1; n < 200_000; n += 1) {
      flight.left("c", n, 1);
      flight.arrived("c", n);
    }
    expect(flight.window).toBe(512);
  });
});

describe("Queue", () => {
  it("keeps its order, and counts", () => {
    const queue = new Queue();
    for (const n of [0, 1, 2]) queue.put(waiting(n, { comm_id: `c${n % 2}` }), 1000);
    expect([queue.length, queue.nbytes, queue.has("c1"), queue.has("c2")]).toEqual([
      3,
      30,
      true,
      false,
    ]);
    expect(queue.first?.message.content.n).toBe(0);
    expect(taken(queue)).toEqual([0, 1, 2]);
    expect([queue.nbytes, queue.has("c0"), queue.first]).toEqual([0, false, null]);
  });

  it("keeps the newest of one key and comm", () => {
    const queue = new Queue();
    const cases: [string, string | null][] = [
      ["a", "k"],
      ["a", null],
      ["b", "k"],
      ["a", "k"],
    ];
    cases.forEach(([comm_id, key], n) => queue.put(waiting(n, { comm_id, key }), 1000));
    expect(taken(queue)).toEqual([1, 2, 3]);
  });

  it("has let go of what waited at a moment, though more waits", () => {
    const queue = new Queue();
    expect(queue.hasLeft(queue.last)).toBe(true);
    queue.put(waiting(0), 1000);
    queue.put(waiting(1, { key: "k" }), 1000);
    const before = queue.last;
    queue.put(waiting(2, { key: "k" }), 1000); // what it replaces is sent by nobody any more
    queue.put(waiting(3), 1000);
    expect(queue.hasLeft(before)).toBe(false);
    queue.take();
    expect([queue.hasLeft(before), queue.hasLeft(queue.last)]).toEqual([true, false]);
  });

  it("has let go of what was forgotten; what comes later is no part of it", () => {
    const queue = new Queue();
    for (const n of [0, 1, 2]) queue.put(waiting(n, { key: `k${n}` }), 1000);
    const before = queue.last;
    queue.clear();
    expect([queue.length, queue.nbytes, queue.has("c"), queue.hasLeft(before)]).toEqual([
      0,
      0,
      false,
      true,
    ]);
    queue.put(waiting(3, { key: "k0" }), 1000);
    expect(queue.hasLeft(before)).toBe(true);
    expect(taken(queue)).toEqual([3]);
  });

  it("takes nothing more than its bound, but what has to be and what replaces", () => {
    const queue = new Queue();
    queue.put(waiting(0, { nbytes: 50, key: "k" }), 10); // alone
    expect(() => queue.put(waiting(1), 10)).toThrow(QueueFull);
    queue.put(waiting(2), null);
    queue.put(waiting(3, { nbytes: 60, key: "k" }), 10);
    expect(taken(queue)).toEqual([2, 3]);
  });
});
