/** Where a frontend looks for its lane. What the ways lead to is tested with real kernels in `tests/interop`. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { ConnectFailed } from "../../src/errors.js";
import { isLoopback, laneWays, pageOrigin } from "../../src/frontend/lane_ways.js";
import type { LaneOptions } from "../../src/frontend/lane_ways.js";
import type { WebSocketConstructor, WebSocketLike } from "../../src/transports/websocket.js";

afterEach(() => {
  vi.unstubAllGlobals();
});

/** Says where each connection was to go; none of them comes about. */
function refusing(): { WebSocket: WebSocketConstructor; asked: [string, string[]][] } {
  const asked: [string, string[]][] = [];
  class Refused implements WebSocketLike {
    binaryType = "";
    readonly protocol = "";

    constructor(url: string, protocols: string[]) {
      asked.push([url, protocols]);
    }

    send(): void {
      throw new Error("never open");
    }

    close(): void {
      // It never was open.
    }

    addEventListener(type: string, listener: (event: never) => void): void {
      const event = { code: 1006, reason: "", data: null };
      if (type === "close") queueMicrotask(() => listener(event as never));
    }
  }
  return { WebSocket: Refused, asked };
}

async function tried(options: Omit<LaneOptions, "WebSocket">): Promise<[string, string[]][]> {
  const { WebSocket, asked } = refusing();
  const { signal } = new AbortController();
  for (const way of laneWays({ ...options, WebSocket })) {
    await expect(way("s", { port: 40_001, token: "t" }, signal)).rejects.toThrow(ConnectFailed);
  }
  return asked;
}

const kernel_id = () => "k 1";
const V1 = "v1.kernel.websocket.jupyter.org";
const DIRECT = ["ws://127.0.0.1:40001/lane?session=s", [V1, "v1.token.websocket.jupyter.org.t"]];

describe("the ways to a lane", () => {
  it("of a server on this machine are the kernel itself, then that server", async () => {
    const server = { url: "http://127.0.0.1:8888/base", token: "u" };
    expect(await tried({ server, kernel_id })).toEqual([
      DIRECT,
      ["ws://127.0.0.1:8888/base/tsushin/lane/k%201?session=s&token=u", [V1]],
    ]);
  });

  it("of a server elsewhere is that server", async () => {
    expect(await tried({ server: { url: "https://hub.example/" }, kernel_id })).toEqual([
      ["wss://hub.example/tsushin/lane/k%201?session=s", [V1]],
    ]);
  });

  it("of a page on this machine is the kernel itself", async () => {
    vi.stubGlobal("location", { hostname: "localhost", origin: "http://localhost:1" });
    expect(await tried({ kernel_id })).toEqual([DIRECT]);
    expect(pageOrigin()).toBe("http://localhost:1");
  });

  it("of a page elsewhere without a server are none, nor are there without a WebSocket", () => {
    vi.stubGlobal("location", { hostname: "hub.example", origin: "https://hub.example" });
    expect(laneWays({ kernel_id, WebSocket: refusing().WebSocket })).toEqual([]);
    vi.stubGlobal("WebSocket", undefined);
    expect(laneWays({ kernel_id, server: { url: "http://localhost/" } })).toEqual([]);
  });

  it("do not lead to a server's kernel that is not known", async () => {
    const server = { url: "https://hub.example/" };
    const { WebSocket } = refusing();
    const [way] = laneWays({ server, kernel_id: () => null, WebSocket });
    const going = way?.("s", { port: 1, token: "t" }, new AbortController().signal);
    await expect(going).rejects.toThrow(TypeError);
  });
});

it("Node has no origin", () => {
  expect(pageOrigin()).toBe("");
});

it.each([
  ["localhost", true],
  ["a.localhost", true],
  ["127.0.0.1", true],
  ["127.1.2.3", true],
  ["[::1]", true],
  ["127.0.0.1.example", false],
  ["localhost.example", false],
  ["hub.example", false],
  [null, false],
])("whether %s is this machine: %s", (host, is) => {
  expect(isLoopback(host)).toBe(is);
});
