// Build the prebuilt extension: what `share/jupyter/labextensions/tsushin-lab` holds.
import { build } from "esbuild";
import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const out = here("dist/labextension");
const options = {
  bundle: true,
  target: "es2022",
  minify: true,
  metafile: true,
  logLevel: "warning",
  absWorkingDir: here("."),
  outdir: `${out}/static`,
  // Browsers keep what a server gives them: a new build has new names.
  entryNames: "[name].[hash]",
  // From source, so that this build needs no other one before it.
  alias: { "tsushin/hosts": here("../core/src/hosts.ts") },
};

/** Build one file and return its name. */
async function bundle(entry, format, define = {}) {
  const { metafile } = await build({ ...options, entryPoints: [here(entry)], format, define });
  return Object.keys(metafile.outputs).map((path) => basename(path))[0];
}

const { jupyterlab, ...about } = JSON.parse(await readFile(here("package.json"), "utf8"));
await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
const version = JSON.stringify(about.version);
const extension = await bundle("src/extension.ts", "esm", { VERSION: version });
const load = await bundle("src/remote_entry.ts", "iife", { EXTENSION: JSON.stringify(extension) });
const { name, version: number, description, license, author } = about;
const _build = { load: `static/${load}`, extension: "./extension" };
const described = { name, version: number, description, license, author };
const install = {
  packageManager: "python",
  packageName: "tsushin",
  uninstallInstructions: "pip uninstall tsushin",
};
const write = (file, value) => writeFile(`${out}/${file}`, `${JSON.stringify(value, null, 2)}\n`);
await write("package.json", { ...described, jupyterlab: { ...jupyterlab, _build } });
await write("install.json", install);
// Not bundled: it is large, rarely needed, and fetched as text when it is.
const require = createRequire(import.meta.url);
await copyFile(require.resolve("requirejs/require.js"), `${out}/static/require.js`);
await copyFile(here("../core/requirejs.licence.txt"), `${out}/static/require.js.licence.txt`);
