/** A server that sends garbage to a frontend, over a real WebSocket in both subprotocols. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { ExecutionError, RemoteProtocolError } from "../../src/errors.js";
import { Frontend } from "../../src/frontend/frontend.js";
import type { Channel, JsonObject, Message } from "../../src/protocol/messages.js";
import { newHeader, newMessage } from "../../src/protocol/messages.js";
import { WebSocketTransport, openWebSocket } from "../../src/transports/websocket.js";
import { SUBPROTOCOL } from "../../src/wire/ws_v1.js";
import { Heard } from "../transports/check.js";
import { GOOD, binaries, malformed } from "./malformed.js";

const servers: WebSocketServer[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    for (const socket of server.clients) socket.terminate();
    server.close();
  }
});

/** A frontend, and the server's end of its link, which sends what the test wants. */
async function ends(subprotocol: "v1" | "default") {
  const server = new WebSocketServer({
    host: "127.0.0.1",
    port: 0,
    handleProtocols: (offered) => offered.has(SUBPROTOCOL) && SUBPROTOCOL,
  });
  servers.push(server);
  await once(server, "listening");
  const connected = once(server, "connection") as Promise<[WebSocket]>;
  const { port } = server.address() as AddressInfo;
  const transport = await openWebSocket(`ws://127.0.0.1:${port}/`, { WebSocket, subprotocol });
  const [socket] = await connected;
  socket.binaryType = "arraybuffer";
  const there = new WebSocketTransport(socket);
  const errors: unknown[] = [];
  const on_error = (error: unknown) => errors.push(error);
  const frontend = new Frontend(transport, { kernel_id: "k", on_unknown: "ignore", on_error });
  return { frontend, errors, there, heard: new Heard(there), send: sender(there) };
}

let number = 0;

type Rest = Partial<Pick<Message, "metadata" | "parent_header">> & { buffers?: Uint8Array[] };

function sender(there: WebSocketTransport) {
  return (msg_type: string, content: JsonObject, rest: Rest = {}, channel: Channel = "iopub") => {
    const facts = { msg_id: `k${++number}`, session: "kernel", now_ms: 0 };
    there.send(newMessage(channel, newHeader(msg_type, facts), { content, ...rest }));
  };
}

/** The same with a comm that the kernel's side has opened, and a check that it still works. */
async function withComm(subprotocol: "v1" | "default") {
  const both = await ends(subprotocol);
  const { frontend, send } = both;
  const opened = frontend.expect_open("good");
  send("comm_open", { comm_id: GOOD, target_name: "good", data: {} });
  const comm = await opened;
  const works = async (n: number) => {
    send("comm_msg", { comm_id: GOOD, data: { n } });
    expect((await comm.expect_msg()).content.data).toEqual({ n });
  };
  return { ...both, comm, works };
}

describe.each(["v1", "default"] as const)("garbage of a kernel, subprotocol %s,", (subprotocol) => {
  it("is reported once, and the comm works on", async () => {
    const { frontend, comm, errors, send, works } = await withComm(subprotocol);
    frontend.comm_manager.register_target("t", () => expect.unreachable("it was opened"));
    const all = malformed();
    expect(all.length).toBeGreaterThan(100);
    for (const [n, { name, msg_type, content, metadata = {}, buffers = [] }] of all.entries()) {
      send(msg_type, content, { metadata, buffers });
      await works(n);
      expect([name, errors.splice(0)]).toEqual([name, [expect.any(RemoteProtocolError)]]);
    }
    expect([[...frontend.comm_manager.comms.keys()], comm.closed]).toEqual([[GOOD], false]);
  });

  it("in a close closes once, and is reported", async () => {
    const { frontend, comm, errors, send } = await withComm(subprotocol);
    const closes: unknown[] = [];
    comm.on_close(({ content }) => closes.push(content.data));
    const later = frontend.expect_open("later");
    const { metadata = {} } = binaries("comm_close")[0] ?? expect.unreachable("no vectors");
    send("comm_close", { comm_id: GOOD }, { metadata });
    send("comm_open", { comm_id: "c2", target_name: "later", data: {} });
    await later;
    expect([closes, comm.closed_by, errors.length]).toEqual([[{}], "there", 1]);
  });

  it("as a second open of a live id is reported and answered by nothing", async () => {
    const { frontend, comm, errors, heard, send, works } = await withComm(subprotocol);
    frontend.comm_manager.register_target("good", () => undefined);
    send("comm_open", { comm_id: GOOD, target_name: "good", data: {} });
    await works(1);
    expect([frontend.comm_manager.get_comm(GOOD), errors.length]).toEqual([comm, 1]);
    comm.send({ first: "word" });
    const [first] = await heard.heard(1);
    expect(first?.header.msg_type).toBe("comm_msg");
  });

  it.each(["shell", "control", "stdin"] as const)("as a close on %s counts", async (channel) => {
    const { frontend, comm, send } = await withComm(subprotocol);
    const closed = new Promise((resolve) => comm.on_close(resolve));
    send("comm_close", { comm_id: GOOD, data: {} }, {}, channel);
    await closed;
    expect(frontend.closed).toBe(false);
  });

  it.each([{}, { status: 7 }, { status: "error" }, { status: "error", ename: 1, traceback: {} }])(
    "as a reply %j ends the execution with an error",
    async (reply) => {
      const { frontend, heard, send } = await ends(subprotocol);
      const result = frontend.execute("1");
      const refused = expect(result).rejects.toBeInstanceOf(ExecutionError);
      const [request] = await heard.heard(1);
      const parent_header = { ...request?.header };
      for (const type of ["stream", "display_data", "execute_result", "error", "status"]) {
        send(type, { data: 7, text: 7, traceback: 7 }, { parent_header });
      }
      send("execute_reply", reply, { parent_header }, "shell");
      send("status", { execution_state: "idle" }, { parent_header });
      await refused;
      await expect(result).rejects.not.toThrow(/undefined/);
    },
  );

  it.each([null, 7, [], {}, true])("as %j around a message harms nobody", async (bad) => {
    const { frontend, errors, send, works } = await withComm(subprotocol);
    send("status", { execution_state: bad });
    send("iopub_welcome", {}, { parent_header: { msg_id: bad } });
    for (const around of [{ metadata: { tsushin: bad } }, { parent_header: { msg_id: bad } }]) {
      send("comm_msg", { comm_id: "other", data: {} }, around);
    }
    await works(1);
    expect([frontend.closed, errors]).toEqual([false, []]);
  });
});
