import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { connect, make_jupyter, run_script } from "../../src/index.js";
import type { Frontend } from "../../src/index.js";
import { checkFrontendOpens, closeOf, echoTarget } from "./flows.js";
import type { Running } from "./servers.js";
import { startJupyterServer } from "./servers.js";

let server: Running;
beforeAll(async () => {
  server = await startJupyterServer();
});
afterAll(() => server.stop());

const open = (options = {}) =>
  connect(server.url, { token: server.token, WebSocket, timeout: 60, ...options });

describe.each(["v1", "default"] as const)(
  "a stock Jupyter Server, subprotocol %s",
  (subprotocol) => {
    let frontend: Frontend;
    beforeAll(async () => {
      frontend = await open({ kernel_name: "python3", subprotocol });
      await frontend.execute(echoTarget("get_ipython().kernel.comm_manager"));
    }, 90_000);
    afterAll(() => frontend.close());

    checkFrontendOpens(() => frontend);

    it("executes code", async () => {
      const result = await frontend.execute("print('a')\n6 * 7");
      expect(result).toMatchObject({ status: "ok", stdout: "a\n", result: "42" });
      await expect(frontend.execute("1/0")).rejects.toMatchObject({ name: "ZeroDivisionError" });
    });

    it("receives a comm the kernel opens, its messages, and its close", async () => {
      const opened = frontend.expect_open("page");
      await frontend.execute("from ipykernel.comm import Comm\nc = Comm('page', data={'foo': 1})");
      const comm = await opened;
      expect(comm.open_msg?.content.data).toEqual({ foo: 1 });
      const received = comm.expect_msg();
      await frontend.execute("c.send({'foo': 2}, metadata={'m': 1}, buffers=[b'\\x00\\xff'])");
      expect(await received).toMatchObject({ content: { data: { foo: 2 } }, metadata: { m: 1 } });
      const closed = closeOf(comm);
      await frontend.execute("c.close({'bye': 1})");
      expect((await closed).content.data).toEqual({ bye: 1 });
    });

    it("closes a comm the kernel opens to a target nobody knows here", async () => {
      await frontend.execute(`
      from ipykernel.comm import Comm
      closed = []
      d = Comm('nobody')
      d.on_close(closed.append)`);
      expect((await frontend.execute("len(closed), d._closed")).result).toBe("(1, True)");
    });

    it("runs the documented JavaScript as it is written", async () => {
      await frontend.execute(DOCUMENTED_TARGET);
      const line = await new Promise((resolve, reject) => {
        const scope = { Jupyter: make_jupyter(frontend), console: { ...console, log: resolve } };
        run_script(DOCUMENTED_SCRIPT, scope).catch(reject);
      });
      expect(line).toBe(5);
    });
  },
);

const DOCUMENTED_TARGET = `
def target_func(comm, msg):
    # comm is the kernel Comm instance
    # msg is the comm_open message

    # Register handler for later messages
    @comm.on_msg
    def _recv(msg):
        # Use msg['content']['data'] for the data in the message
        pass

    # Send data to the frontend
    comm.send({'foo': 5})

get_ipython().kernel.comm_manager.register_target('my_comm_target', target_func)
`;

const DOCUMENTED_SCRIPT = `
comm = Jupyter.notebook.kernel.comm_manager.new_comm('my_comm_target',
                                                     {'foo': 6})
// Send data
comm.send({'foo': 7})

// Register a handler
comm.on_msg(function(msg) {
    console.log(msg.content.data.foo);
});`;

describe("a kernel's life behind a stock Jupyter Server", () => {
  it("restart loses comms with the reason, ends waits, and the next process serves", async () => {
    const frontend = await open({ kernel_name: "python3" });
    await frontend.execute(echoTarget("get_ipython().kernel.comm_manager"));
    const comm = frontend.comm_manager.new_comm("echo");
    await comm.expect_msg();
    const closed = closeOf(comm);
    const refused = expect(frontend.execute("import time; time.sleep(60)")).rejects.toMatchObject({
      code: "kernel_gone",
      why: "restarted",
    });
    await frontend.restart();
    await refused;
    expect((await closed).metadata.tsushin).toEqual({ lost: "the kernel was restarted" });
    expect((await frontend.execute("1 + 1", { timeout: 30 })).result).toBe("2");
    await frontend.close();
  });

  it("interrupt ends what runs", async () => {
    const frontend = await open({ kernel_name: "python3" });
    const code = "print('on'); import time; time.sleep(60)";
    let interrupted = Promise.resolve();
    await new Promise<void>((resolve) => {
      const running = frontend.execute(code, { on_output: () => resolve() });
      interrupted = expect(running).rejects.toMatchObject({ name: "KeyboardInterrupt" });
    });
    await frontend.interrupt();
    await interrupted;
    expect((await frontend.execute("2")).result).toBe("2");
    await frontend.close();
  });

  it("a second frontend attaches, and disturbs nobody", async () => {
    const first = await open({ kernel_name: "python3" });
    const second = await open({ kernel_id: first.kernel_id });
    const opened = first.expect_open("page");
    await first.execute("from ipykernel.comm import Comm\nc = Comm('page')");
    const comm = await opened;
    await second.execute("pass");
    expect([comm.closed, second.comm_manager.unknown]).toEqual([false, 1]);
    await second.close();
    expect((await first.execute("c._closed")).result).toBe("False");
    await first.close();
  });

  it("ends for others too when somebody ends it, even if it says nothing", async () => {
    const owner = await open({ kernel_name: "python3" });
    const other = await open({ kernel_id: owner.kernel_id });
    const refused = expect(other.expect_open("never")).rejects.toMatchObject({
      code: "kernel_gone",
      why: "shut down",
    });
    await owner.close();
    await refused;
  });

  it("ends with the frontend that started it", async () => {
    const frontend = await open({ kernel_name: "python3" });
    const { kernel_id } = frontend;
    await frontend.close();
    await expect(open({ kernel_id })).rejects.toThrow(/404/);
  });
});

describe("connecting", () => {
  it("fails without the right token, which is not in the error", async () => {
    const failed = open({ token: "wrong", kernel_name: "python3" });
    await expect(failed).rejects.toMatchObject({ code: "connect_failed" });
    await expect(failed).rejects.not.toThrow(/wrong/);
  });

  it("takes the token from a URL as Jupyter prints it", async () => {
    const url = `${server.url}?token=${server.token}`;
    const frontend = await connect(url, { WebSocket, kernel_name: "python3" });
    expect(frontend.status).not.toBe("dead");
    await frontend.close();
  });

  it("fails for a kernel spec the server does not have", async () => {
    await expect(open({ kernel_name: "no-such-kernel" })).rejects.toMatchObject({
      code: "connect_failed",
    });
  });
});
