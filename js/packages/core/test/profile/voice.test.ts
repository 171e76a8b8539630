/** What one end says on control comms, and which way it goes; the twin of `tests/profile/test_voice.py`. */
import { expect, it } from "vitest";
import { controlId, readControl } from "../../src/profile/control.js";
import { Peer } from "../../src/profile/peer.js";
import { Routes } from "../../src/profile/routes.js";
import { Voice } from "../../src/profile/voice.js";
import type { Message } from "../../src/protocol/messages.js";
import { msgType, newMessage } from "../../src/protocol/messages.js";

/** The voice of a kernel end with two peers, the first of which has a lane; and what leaves by which way. */
function speaking() {
  const said: [Message, string | null][] = [];
  const peers = new Map<string, Peer>();
  const newHeader = (msg_type: string, now: number) => ({
    msg_id: String(now),
    session: "kernel",
    username: "",
    date: "",
    msg_type,
    version: "5.4",
  });
  for (const session of ["laned", "plain"]) {
    const content = { comm_id: controlId(session), data: { profile: 1, session, epoch: "e" } };
    const hello = readControl(newMessage("shell", newHeader("comm_open", 0), { content }));
    peers.set(session, new Peer(hello, controlId(session), new Map()));
  }
  for (const peer of peers.values()) peer.hasLane = peer.session === "laned";
  const emit = (message: Message, lane: string | null) => void said.push([message, lane]);
  const routes = new Routes({ peers, isKernel: true, emit });
  return { said, voice: new Voice({ channel: "iopub", newHeader, peers, routes }) };
}

it("speaks by the lane of whom it speaks to", () => {
  const { said, voice } = speaking();
  for (const name of ["laned", "plain", "nobody"]) voice.say(controlId(name), { mark: 1 }, 2);
  expect(said.map(([, lane]) => lane)).toEqual(["laned", null, null]);
  expect(said[0]?.[0].content).toEqual({ comm_id: controlId("laned"), data: { mark: 1 } });
  expect(said[0]?.[0].header).toMatchObject({ msg_type: "comm_msg", msg_id: "2" });
});

it("says a hello beside lanes, and names the target where that opens", () => {
  const { said, voice } = speaking();
  const ask = { lane_ask: { origin: "here" } };
  voice.sayBesideLanes(controlId("laned"), ask, 0);
  voice.sayBesideLanes(controlId("laned"), ask, 0, "comm_open");
  expect(said.map(([, lane]) => lane)).toEqual([null, null]);
  const targets = said.map(([{ content }]) => content.target_name);
  expect(targets).toEqual([undefined, "tsushin.session"]);
  expect(said[0]?.[0].content.data).toEqual(ask);
});

it("closes a control comm, and says no more by it", () => {
  const { said, voice } = speaking();
  voice.sayGoodbye(controlId("laned"), 0);
  const [message, lane] = said[0] ?? [];
  expect([message && msgType(message), lane]).toEqual(["comm_close", "laned"]);
  expect(message?.content).toEqual({ comm_id: controlId("laned"), data: {} });
});

it("sends buffers as they are", () => {
  const { said, voice } = speaking();
  const buffer = new Uint8Array([1, 2, 3]);
  voice.say(controlId("plain"), {}, 0, [buffer]);
  expect(said[0]?.[0].buffers).toEqual([buffer]);
});
