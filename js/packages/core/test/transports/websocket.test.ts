import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { WebSocket as ServerSocket } from "ws";
import { WebSocket, WebSocketServer } from "ws";
import { ConnectFailed, TransportLost, WireError } from "../../src/errors.js";
import type { WebSocketOptions } from "../../src/transports/websocket.js";
import { WebSocketTransport, openWebSocket } from "../../src/transports/websocket.js";
import * as wsDefault from "../../src/wire/ws_default.js";
import { SUBPROTOCOL } from "../../src/wire/ws_v1.js";
import { Heard, checkTransport, sample } from "./check.js";

const servers: WebSocketServer[] = [];
afterEach(() => {
  vi.unstubAllGlobals();
  for (const server of servers.splice(0)) {
    for (const socket of server.clients) socket.terminate();
    server.close();
  }
});

interface Listening {
  url: string;
  /** The socket of the latest connection. */
  latest: () => ServerSocket;
  /** What each attempt offered. */
  offers: string[][];
}

/** A server that takes v1 where `picks` says so, and else picks nothing. */
async function listen(picks: "v1" | "nothing" | "token only"): Promise<Listening> {
  const offers: string[][] = [];
  const server = new WebSocketServer({
    host: "127.0.0.1",
    port: 0,
    handleProtocols: (offered) => {
      offers.push([...offered]);
      if (picks === "v1" && offered.has(SUBPROTOCOL)) return SUBPROTOCOL;
      const token = [...offered].find((name) => name.startsWith("v1.token."));
      return picks === "token only" && !offered.has(SUBPROTOCOL) && token !== undefined && token;
    },
  });
  servers.push(server);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const sockets: ServerSocket[] = [];
  server.on("connection", (socket) => sockets.push(socket));
  const latest = () => sockets.at(-1) ?? expect.unreachable("nobody has connected");
  return { url: `ws://127.0.0.1:${port}/`, latest, offers };
}

const open = (url: string, options: WebSocketOptions = {}) =>
  openWebSocket(url, { WebSocket, timeout: 5, ...options });

async function joined(picks: "v1" | "nothing"): Promise<[WebSocketTransport, ServerSocket]> {
  const { url, latest } = await listen(picks);
  const transport = await open(url, picks === "v1" ? {} : { subprotocol: "default" });
  return [transport, latest()];
}

/** The server's end of a connection, as a transport too. */
function serverEnd(socket: ServerSocket): WebSocketTransport {
  socket.binaryType = "arraybuffer";
  return new WebSocketTransport(socket);
}

describe.each(["v1", "nothing"] as const)("a WebSocket where the server picks %s", (picks) => {
  checkTransport(async () => {
    const [transport, socket] = await joined(picks);
    return [transport, serverEnd(socket)];
  });

  it("reports a frame that is no message, and goes on", async () => {
    const [transport, socket] = await joined(picks);
    const here = new Heard(transport);
    socket.send(Buffer.from("00".repeat(16), "hex"));
    serverEnd(socket).send(sample(1));
    await here.heard(2);
    expect(here.faults[0]).toBeInstanceOf(WireError);
    expect(here.messages).toHaveLength(1);
  });

  it("is lost when the connection breaks", async () => {
    const [transport, socket] = await joined(picks);
    const here = new Heard(transport);
    socket.terminate();
    expect(await here.ended).toBeInstanceOf(TransportLost);
    expect(() => transport.send(sample(1))).toThrow(TransportLost);
  });
});

it("offers v1 and the token, percent-encoded, as subprotocols", async () => {
  const { url, offers } = await listen("v1");
  await open(url, { token: "a b" });
  expect(offers).toEqual([[SUBPROTOCOL, "v1.token.websocket.jupyter.org.a%20b"]]);
});

it("speaks the default subprotocol where v1 is not taken", async () => {
  const { url, latest, offers } = await listen("token only");
  const transport = await open(url, { token: "t" });
  const message = once(latest(), "message");
  transport.send(sample(1));
  const [data] = (await message) as [Buffer];
  expect(wsDefault.decode(data.toString("utf8")).header.msg_id).toBe("m1");
  expect(offers).toHaveLength(2);
});

it("does not fall back where only v1 is wanted", async () => {
  const { url, offers } = await listen("nothing");
  await expect(open(url, { subprotocol: "v1" })).rejects.toThrow(ConnectFailed);
  expect(offers).toHaveLength(1);
});

it("fails without the URL in its text, which may hold a token", async () => {
  const failed = open("ws://127.0.0.1:9/?token=secret");
  await expect(failed).rejects.toThrow(ConnectFailed);
  await expect(failed).rejects.not.toThrow(/secret/);
});

it("is given up when its signal says so", async () => {
  const { url } = await listen("v1");
  const signal = AbortSignal.abort(new Error("enough"));
  await expect(open(url, { signal })).rejects.toThrow("enough");
});

it("says what a platform without WebSocket needs", async () => {
  vi.stubGlobal("WebSocket", undefined); // Node 22 has one
  await expect(openWebSocket("ws://127.0.0.1:9/")).rejects.toThrow("options.WebSocket");
});

it("refuses a text frame in v1", async () => {
  const [transport, socket] = await joined("v1");
  const here = new Heard(transport);
  socket.send("{}");
  await here.heard(1);
  expect(here.faults[0]).toMatchObject({ code: "wire_error", part: "message" });
});
