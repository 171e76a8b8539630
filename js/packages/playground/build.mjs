// Bundle the page into the Python package, where the endpoint serves it and the wheel ships it.
import { build, context } from "esbuild";
import { copyFile, mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const out = here("../../../src/tsushin/server/static");

const options = {
  bundle: true,
  target: "es2022",
  minify: true,
  sourcemap: false,
  legalComments: "eof",
  logLevel: "warning",
  // From source, so that this build needs no other one before it.
  alias: { tsushin: here("../core/src/index.ts") },
};
const page = {
  ...options,
  format: "esm",
  entryPoints: [
    { in: here("src/main.ts"), out: "playground" },
    { in: here("src/style/index.css"), out: "playground" },
  ],
  outdir: out,
};
// Runs before the first paint, so it is a classic script of its own.
const boot = {
  ...options,
  format: "iife",
  entryPoints: { boot: here("src/boot.ts") },
  outdir: out,
};

const copyStatic = () =>
  Promise.all(
    ["index.html", "icon.svg"].map((name) => copyFile(here(`src/${name}`), `${out}/${name}`)),
  );

await mkdir(out, { recursive: true });
await copyStatic();
if (process.argv.includes("--watch")) {
  for (const each of [page, boot]) await (await context(each)).watch();
} else {
  await Promise.all([build(page), build(boot)]);
}
