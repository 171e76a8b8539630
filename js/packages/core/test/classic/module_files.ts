/** Real RequireJS, and a small HTTP server for the files of modules. */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createRequire } from "node:module";
import { make_amd } from "../../src/classic/amd.js";
import type { AmdOptions } from "../../src/classic/amd.js";

const path = createRequire(import.meta.url).resolve("requirejs/require.js");

/** The text of RequireJS, as a host's `load_requirejs` gives it. */
export const requirejsText = (): Promise<string> => Promise.resolve(readFileSync(path, "utf8"));

export interface ModuleFiles {
  /** Ends in "/". */
  readonly url: string;
  /** Path below `url` -> text; may be changed at any time. What is not here is answered with 404. */
  readonly files: Map<string, string>;
  /** What was asked for, in order. */
  readonly asked: string[];
  stop(): Promise<void>;
}

export async function serveFiles(): Promise<ModuleFiles> {
  const files = new Map<string, string>();
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const name = (request.url ?? "").slice(1);
    asked.push(name);
    const text = files.get(name);
    response.writeHead(text === undefined ? 404 : 200, { "content-type": "text/javascript" });
    response.end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const stop = () =>
    new Promise<void>((resolve) => {
      server.closeAllConnections();
      server.close(() => resolve());
    });
  return { url: `http://127.0.0.1:${port}/`, files, asked, stop };
}

/** AMD for one test, and the errors nobody else hears of. */
export function amdAt(base_url: string, options: Partial<AmdOptions> = {}) {
  const errors: unknown[] = [];
  const amd = make_amd({
    load_requirejs: requirejsText,
    base_url,
    on_error: (error) => errors.push(error),
    ...options,
  });
  /** `require(deps)` as a promise of the modules. */
  const loaded = (...deps: string[]) =>
    new Promise<unknown[]>((resolve, reject) =>
      amd.require(deps, (...modules: unknown[]) => resolve(modules), reject),
    );
  return { amd, errors, loaded };
}
