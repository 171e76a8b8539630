import fc from "fast-check";
import { expect, it } from "vitest";
import { History, Incoming } from "../../src/profile/sequence.js";
import type { Message } from "../../src/protocol/messages.js";
import { newHeader, newMessage } from "../../src/protocol/messages.js";

const header = newHeader("comm_msg", { msg_id: "m", session: "s", now_ms: 0 });
const message = (n: number) => newMessage("shell", header, { content: { comm_id: "c", n } });
const numbers = (messages: Message[]) => messages.map(({ content }) => Number(content.n));
const upTo = (n: number) => Array.from({ length: n }, (_none, i) => i + 1);

it("hands on whatever comes once and in order", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 12 })), (arrivals) => {
      const incoming = new Incoming(1);
      const handedOn = arrivals.flatMap((n) => numbers(incoming.take(n, message(n))));
      expect(handedOn).toEqual(upTo(handedOn.length));
      const early = new Set(arrivals.filter((n) => n > handedOn.length));
      expect(new Set(incoming.held.keys())).toEqual(early);
    }),
  );
});

it("counts what is given up and hands on the rest", () => {
  const number = fc.integer({ min: 1, max: 12 });
  fc.assert(
    fc.property(fc.uniqueArray(number), fc.integer({ min: 0, max: 12 }), (arrived, upto) => {
      const incoming = new Incoming(1);
      for (const n of arrived) incoming.take(n, message(n));
      const [missed] = incoming.skip(upto);
      expect(missed).toBe(upTo(upto).filter((n) => !arrived.includes(n)).length);
    }),
  );
});

it("names a hole until it is filled", () => {
  const incoming = new Incoming(1);
  incoming.take(4, message(4));
  expect(incoming.missing()).toEqual([1, 3]);
  incoming.take(1, message(1));
  expect(incoming.missing()).toEqual([2, 3]);
  incoming.take(2, message(2));
  expect(numbers(incoming.take(3, message(3)))).toEqual([3, 4]);
  expect(incoming.missing()).toBeNull();
  incoming.known = 6;
  expect(incoming.missing()).toEqual([5, 6]);
});

it("frees a history of what was confirmed", () => {
  const history = new History();
  for (const n of upTo(5)) history.put({ number: n, message: message(n), nbytes: 10 });
  expect([history.free(2), history.nbytes, history.length, history.last]).toEqual([20, 30, 3, 5]);
  expect(history.between(2, 4).map(({ number }) => number)).toEqual([3, 4]);
  expect([history.dropOldest(), history.free(9), history.last]).toEqual([10, 20, 0]);
});

it("gives up any number at once: a peer may name the largest there is", () => {
  const incoming = new Incoming(1);
  for (const n of [5, 3]) incoming.take(n, message(n));
  const [missed, released] = incoming.skip(Number.MAX_SAFE_INTEGER);
  expect([missed, numbers(released)]).toEqual([Number.MAX_SAFE_INTEGER - 2, [3, 5]]);
  expect([incoming.held.size, incoming.missing()]).toEqual([0, null]);
});

it("gives up nothing that has arrived", () => {
  const incoming = new Incoming(4);
  expect([incoming.skip(2), incoming.next]).toEqual([[0, []], 4]);
});
