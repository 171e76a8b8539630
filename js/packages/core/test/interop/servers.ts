/**
 * Real servers in real processes. The Python with tsushin, ipykernel and jupyter_server is named by
 * TSUSHIN_PYTHON; without that it is the repository's own environment.
 */
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../../../", import.meta.url));
const START_TIMEOUT_MS = 60_000;

export interface Running {
  url: string;
  token: string;
  stop(): Promise<void>;
}

function python(): string {
  const own = `${ROOT}.venv/bin/python`;
  return process.env.TSUSHIN_PYTHON ?? (existsSync(own) ? own : "python3");
}

/** Start Python and wait for a line that `ready` matches; returns the match. */
async function start(args: string[], ready: RegExp): Promise<[RegExpExecArray, ChildProcess]> {
  const env = { ...process.env, PYTHONPATH: `${ROOT}src`, PYTHONUNBUFFERED: "1" };
  const child = spawn(python(), args, { env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  const match = await new Promise<RegExpExecArray>((resolve, reject) => {
    const giveUp = (why: string) => reject(new Error(`${args.join(" ")}: ${why}\n${output}`));
    const timer = setTimeout(() => giveUp("not ready in time"), START_TIMEOUT_MS);
    const read = (data: Buffer) => {
      output += data.toString("utf8");
      const found = ready.exec(output);
      if (found === null) return;
      clearTimeout(timer);
      resolve(found);
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.once("exit", (code) => giveUp(`ended with ${String(code)}`));
    child.once("error", (error) => giveUp(error.message));
  });
  return [match, child];
}

/** Ask a process to end, and wait until it has. */
async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 20_000);
  await ended;
  clearTimeout(timer);
}

/** A stock Jupyter Server on a free port of this machine. */
export async function startJupyterServer(): Promise<Running> {
  const token = "test-token";
  const options = ["ip=127.0.0.1", "port=0", "open_browser=False", "allow_root=True"];
  const args = ["-m", "jupyter_server", ...options.map((one) => `--ServerApp.${one}`)];
  const ready = /http:\/\/127\.0\.0\.1:(\d+)\//;
  const [match, child] = await start([...args, `--IdentityProvider.token=${token}`], ready);
  return { url: `http://127.0.0.1:${String(match[1])}/`, token, stop: () => stop(child) };
}

/** `tsushin.serve` in a process of its own, after `code`, which registers targets. */
export async function startServe(code: string): Promise<Running> {
  const main = [
    "import tsushin, threading",
    code,
    "handle = tsushin.serve(block=False)",
    "print('READY', handle.url, handle.token, flush=True)",
    "threading.Event().wait()",
  ].join("\n");
  const [match, child] = await start(["-c", main], /READY (\S+) (\S+)/);
  return { url: String(match[1]), token: String(match[2]), stop: () => stop(child) };
}
