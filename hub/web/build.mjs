// Builds the pages into dist/: hashed files under assets/, index.html naming them, and a table of
// what a first visit loads. Fails when that is over the budget: pages must be light enough for 2G.
import { build, context } from "esbuild";
import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";

const BUDGET = 60 * 1024;
const OUT = "dist";

const options = {
  entryPoints: { hub: "src/main.tsx", style: "src/style/index.css" },
  outdir: `${OUT}/assets`,
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  target: "es2020",
  minify: true,
  legalComments: "none",
  jsx: "automatic",
  jsxImportSource: "preact",
  metafile: true,
  logLevel: "warning",
  logLimit: 10,
};

// Every chunk that the page of an investor needs, in the order it is asked for. Chunks that are
// loaded only on demand (other languages, the phone) are shown but not counted.
const ON_DEMAND = /src\/(words\/(sw|fr)|pages\/phone)\.tsx?$/;

async function page(outputs) {
  const named = (source) =>
    Object.keys(outputs).find((file) => outputs[file].entryPoint === source);
  const icon = await readFile("src/icon.svg");
  const iconName = `icon-${createHash("sha256").update(icon).digest("hex").slice(0, 8)}.svg`;
  await writeFile(`${OUT}/assets/${iconName}`, icon);
  // What the entry imports is named in the page, so that it comes in the same round trip.
  const entry = named("src/main.tsx");
  const preload = outputs[entry].imports
    .filter(({ kind, external }) => kind === "import-statement" && !external)
    .map(({ path }) => `<link rel="modulepreload" href="/${path.replace(`${OUT}/`, "")}" />`)
    .join("\n    ");
  const html = (await readFile("index.html", "utf8"))
    .replace("%ICON%", `/assets/${iconName}`)
    .replace("%STYLE%", `/${named("src/style/index.css").replace(`${OUT}/`, "")}`)
    .replace("%PRELOAD%", preload)
    .replace("%SCRIPT%", `/${entry.replace(`${OUT}/`, "")}`);
  await writeFile(`${OUT}/index.html`, html);
}

async function weigh(outputs) {
  const entry = Object.keys(outputs).find((f) => outputs[f].entryPoint === "src/main.tsx");
  const first = new Set([`${OUT}/index.html`]);
  const visit = (file) => {
    if (first.has(file)) return;
    first.add(file);
    for (const { path, external } of outputs[file].imports) {
      const source = outputs[path]?.entryPoint ?? "";
      if (!external && !ON_DEMAND.test(source)) visit(path);
    }
  };
  visit(entry);
  for (const file of Object.keys(outputs)) if (file.endsWith(".css")) first.add(file);
  let total = 0;
  const files = new Set([...first, ...Object.keys(outputs)]);
  for (const file of files) {
    const size = gzipSync(await readFile(file), { level: 9 }).length;
    if (first.has(file)) total += size;
    const mark = first.has(file) ? "first load" : "on demand";
    console.log(`${String(size).padStart(7)} B gzip  ${mark}  ${file.replace(`${OUT}/`, "")}`);
  }
  console.log(`${String(total).padStart(7)} B gzip  first load in all (budget ${BUDGET} B)`);
  if (total > BUDGET) {
    console.error("The first load is over its budget.");
    process.exitCode = 1;
  }
}

// The viewer of the API reference, served by the hub itself: its pages load nothing from elsewhere.
async function viewer() {
  await mkdir(`${OUT}/docs-assets`, { recursive: true });
  for (const name of ["swagger-ui-bundle.js", "swagger-ui-standalone-preset.js", "swagger-ui.css"])
    await copyFile(`node_modules/swagger-ui-dist/${name}`, `${OUT}/docs-assets/${name}`);
}

await rm(OUT, { recursive: true, force: true });
await mkdir(`${OUT}/assets`, { recursive: true });
if (process.argv.includes("--watch")) {
  const onEnd = {
    name: "page",
    setup: ({ onEnd }) => onEnd(({ metafile }) => metafile && page(metafile.outputs)),
  };
  const watching = await context({ ...options, plugins: [onEnd] });
  await watching.watch();
} else {
  const { metafile } = await build(options);
  await page(metafile.outputs);
  await viewer();
  await weigh(metafile.outputs);
}
