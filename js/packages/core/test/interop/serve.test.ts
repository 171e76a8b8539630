import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { Server } from "../../src/frontend/rest.js";
import { connect } from "../../src/index.js";
import type { Frontend } from "../../src/index.js";
import { checkFrontendOpens, echoTarget } from "./flows.js";
import type { Running } from "./servers.js";
import { startServe } from "./servers.js";

describe.each(["v1", "default"] as const)("tsushin.serve, subprotocol %s", (subprotocol) => {
  let server: Running;
  let frontend: Frontend;
  beforeAll(async () => {
    server = await startServe(echoTarget("tsushin.comm_manager()"));
    frontend = await connect(server.url, { token: server.token, WebSocket, subprotocol });
  });
  afterAll(async () => {
    await frontend.close();
    await server.stop();
  });

  checkFrontendOpens(() => frontend);

  it("brings binary inside the data to Python and back", async () => {
    const comm = frontend.comm_manager.new_comm("echo");
    await comm.expect_msg();
    const data = { image: { pixels: Uint8Array.of(1, 2, 3), heights: Float32Array.of(0.5, 2) } };
    comm.send(data);
    expect((await comm.expect_msg()).content.data).toEqual(data);
    comm.close();
  });

  it("is told the token as a subprotocol, never in the URL", async () => {
    const urls: string[] = [];
    const offers: string[][] = [];
    class Noting extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols);
        urls.push(url);
        offers.push(protocols);
      }
    }
    const options = { token: server.token, WebSocket: Noting, subprotocol };
    const other = await connect(server.url, options);
    await other.close();
    expect(offers.at(-1)).toContain(`v1.token.websocket.jupyter.org.${server.token}`);
    expect(urls.filter((url) => url.includes(server.token))).toEqual([]);
  });

  it("belongs to whoever serves it: leaving it does not end it", async () => {
    const [kernel] = await new Server(server.url, { token: server.token }).kernels();
    const options = { token: server.token, WebSocket, kernel_name: kernel?.name ?? "" };
    const other = await connect(server.url, options);
    expect(other.kernel_id).toBe(frontend.kernel_id);
    await other.close();
    expect(await frontend.comms()).toEqual({});
  });

  it("says that it executes no code", async () => {
    await expect(frontend.execute("1")).rejects.toMatchObject({ code: "execution_error" });
  });
});
