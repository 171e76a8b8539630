import { expect, it } from "vitest";
import { TsushinError } from "../../src/errors.js";
import { Requests } from "../../src/frontend/requests.js";
import { newHeader, newMessage } from "../../src/protocol/messages.js";

const header = newHeader("status", { msg_id: "k1", session: "k", now_ms: 0 });
const answerTo = (msg_id: unknown) => newMessage("iopub", header, { parent_header: { msg_id } });

function watcher() {
  const seen: unknown[] = [];
  return { seen, message: (one: unknown) => seen.push(one), end: (one: unknown) => seen.push(one) };
}

it("shows a watcher the answers to its own message", () => {
  const requests = new Requests();
  const [mine, other] = [watcher(), watcher()];
  requests.watch("a", mine);
  requests.watch("b", other);
  requests.receive(answerTo("a"));
  requests.receive(answerTo(3));
  expect([mine.seen.length, other.seen.length]).toEqual([1, 0]);
});

it("forgets who stops, and tells the others of the end", () => {
  const requests = new Requests();
  const [gone, waiting] = [watcher(), watcher()];
  requests.watch("a", gone);
  requests.watch("b", waiting);
  requests.stop("a");
  const error = new TsushinError("over");
  requests.end(error);
  expect([gone.seen, waiting.seen, requests.size]).toEqual([[], [error], 0]);
});
