import { expect, it } from "vitest";
import { StatusWatch } from "../../src/frontend/watch.js";
import type { Channel, JsonObject, Message } from "../../src/protocol/messages.js";
import { newHeader, newMessage } from "../../src/protocol/messages.js";

function message(
  msg_type: string,
  content: JsonObject,
  session = "k1",
  channel: Channel = "iopub",
): Message {
  return newMessage(channel, newHeader(msg_type, { msg_id: "m", session, now_ms: 0 }), { content });
}
const status = (execution_state: unknown, session = "k1") =>
  message("status", { execution_state }, session);

it.each([
  ["restarting", "restarted"],
  ["autorestarting", "restarted"],
  ["dead", "died"],
  ["terminating", "shut down"],
  ["busy", null],
  [3, null],
])("reads the status %j as %j", (state, why) => {
  expect(new StatusWatch().verdict(status(state))).toBe(why);
});

it.each([
  [true, "restarted"],
  [false, "shut down"],
])("reads a published shutdown_reply, restart %j, as %j", (restart, why) => {
  expect(new StatusWatch().verdict(message("shutdown_reply", { restart }))).toBe(why);
});

it("reads nothing into a reply that is for one frontend alone", () => {
  const reply = message("shutdown_reply", { restart: false }, "k1", "control");
  expect(new StatusWatch().verdict(reply)).toBeNull();
});

it("takes a start of another process as a restart, once, and of the same as late news", () => {
  const watch = new StatusWatch();
  watch.answered(message("kernel_info_reply", {}, "k1", "shell"));
  expect(watch.verdict(status("starting", "k1"))).toBeNull();
  expect(watch.verdict(status("starting", "k2"))).toBe("restarted");
  expect(watch.verdict(status("starting", "k2"))).toBeNull();
});

it.each([
  ["the caller", (watch: StatusWatch) => watch.ended()],
  [
    "the kernel",
    (watch: StatusWatch) => watch.verdict(message("shutdown_reply", { restart: true })),
  ],
  ["the server", (watch: StatusWatch) => watch.verdict(status("restarting"))],
])("expects a start after an end that %s told of", (_who, tell) => {
  const watch = new StatusWatch();
  watch.answered(message("kernel_info_reply", {}, "k1", "shell"));
  tell(watch);
  expect(watch.verdict(status("starting", "k2"))).toBeNull();
  expect(watch.verdict(status("starting", "k3"))).toBe("restarted");
});
