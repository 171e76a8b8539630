// Bundle the page into the Python package, where the endpoint serves it and the wheel ships it.
import { build, context } from "esbuild";
import { copyFile, mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const out = here("../../../src/tsushin/server/static");

const options = {
  bundle: true,
  target: "es2022",
  minify: true,
  metafile: true,
  logLevel: "warning",
  absWorkingDir: here("."),
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

/** The folders of the packages that went into a bundle. */
function packagesOf({ inputs }) {
  const folder = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//;
  const found = Object.keys(inputs).flatMap((path) => folder.exec(path)?.[1] ?? []);
  return [...new Set(found)].sort();
}

/** One package's name, version and licence, as its licence asks for. */
async function licenceOf(path) {
  const folder = resolve(here("."), path);
  const { name, version } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  const file = (await readdir(folder)).find((each) => /^licen[cs]e/i.test(each));
  if (!file) throw new Error(`${name}: no licence file in ${dirname(path)}`);
  return `${name} ${version}\n\n${(await readFile(join(folder, file), "utf8")).trim()}\n`;
}

const copyStatic = () =>
  Promise.all(
    ["index.html", "icon.svg"].map((name) => copyFile(here(`src/${name}`), `${out}/${name}`)),
  );

await mkdir(out, { recursive: true });
await copyStatic();
if (process.argv.includes("--watch")) {
  for (const each of [page, boot]) await (await context(each)).watch();
} else {
  const [{ metafile }] = await Promise.all([build(page), build(boot)]);
  const licences = await Promise.all(packagesOf(metafile).map(licenceOf));
  await writeFile(`${out}/licenses.txt`, licences.join(`\n${"-".repeat(72)}\n\n`));
}
