// Bundle the module into the Python package: `tsushin.bridge()` sends it to whoever displays it.
import { build } from "esbuild";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

await build({
  bundle: true,
  format: "esm",
  target: "es2022",
  platform: "browser",
  minify: true,
  logLevel: "warning",
  entryPoints: [here("src/index.ts")],
  outfile: here("../../../src/tsushin/kernel/static/bridge.js"),
  // From source, so that this build needs no other one before it.
  alias: {
    tsushin: here("../core/src/index.ts"),
    "tsushin/hosts": here("../core/src/hosts.ts"),
  },
});
