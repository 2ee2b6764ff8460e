// Writes src/kohort/web/studio/static/vendor from the locked packages: `npm ci && npm run build`.
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync } from "node:zlib";
import { build } from "esbuild";
import subsetFont from "subset-font";

const here = fileURLToPath(new URL(".", import.meta.url));
const out = join(here, "../../src/kohort/web/studio/static/vendor");
const tests = join(here, "../../tests/studio/vendor");
const modules = join(here, "node_modules");
const ICONS = readFileSync(join(here, "icons.txt"), "utf8").split(/\s+/).filter(Boolean);

const range = (first, last) => Array.from({ length: last - first + 1 }, (_, place) => String.fromCodePoint(first + place)).join("");
const SIGNS = "\u00a0–—‘’“”„…•·→←↑↓−×≤≥≠✓✗€";
/** Letters that names and places of many countries have: a page with one of them needs no second file. */
const ACCENTED = "ÄÅÇÉÖØÜßàáâãäåæçèéêëìíîïñòóôõöøùúûü";
const USUAL = range(0x20, 0x7e) + SIGNS + ACCENTED;
const RARE = "¡¿ªº«»§°" + [...range(0xc0, 0xff)].filter((letter) => !USUAL.includes(letter)).join("");

for (const folder of [out, tests]) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
}
/** The part of a font that pages need: its signs, weights and features. Other scripts come from the system. */
async function font(name, file, text, wght, keepFeatures) {
  const whole = readFileSync(join(modules, `@fontsource-variable/${name}/files/${name}-latin-wght-normal.woff2`));
  writeFileSync(join(out, `${file}.woff2`), await subsetFont(whole, text, { targetFormat: "woff2", variationAxes: { wght }, keepFeatures, noHinting: true }));
}

const bundled = { bundle: true, minify: true, format: "esm", target: "es2022", legalComments: "none" };
await build({ ...bundled, entryPoints: [join(here, "lit.js")], outfile: join(out, "lit.js") });
await build({ ...bundled, entryPoints: [join(here, "echarts.js")], outfile: join(out, "echarts.js") });
copyFileSync(join(modules, "htmx.org/dist/htmx.min.js"), join(out, "htmx.js"));
const WEIGHTS = { min: 400, max: 700 };
await font("inter", "inter", USUAL, WEIGHTS, ["tnum", "cv11"]);
await font("inter", "inter-latin", RARE, WEIGHTS, []);
await font("jetbrains-mono", "jetbrains-mono", USUAL, WEIGHTS, []);
await font("jetbrains-mono", "jetbrains-mono-latin", RARE, WEIGHTS, []);
copyFileSync(join(modules, "axe-core/axe.min.js"), join(tests, "axe.js"));

const symbols = ICONS.sort().map((name) => {
  const svg = readFileSync(join(modules, `lucide-static/icons/${name}.svg`), "utf8");
  const inner = svg.replace(/[\s\S]*?<svg[^>]*>/, "").replace(/<\/svg>\s*$/, "").replace(/\s*\n\s*/g, "");
  return `<symbol id="${name}" viewBox="0 0 24 24">${inner}</symbol>`;
});
writeFileSync(join(out, "icons.svg"), `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("\n")}\n</svg>\n`);

for (const name of ["echarts.js", "htmx.js", "lit.js"]) {
  writeFileSync(join(out, `${name}.br`), brotliCompressSync(readFileSync(join(out, name))));
}

const PARTS = [
  ["htmx.js", "htmx.org"], ["lit.js", "lit"], ["echarts.js", "echarts"], ["icons.svg", "lucide-static"],
  ["inter.woff2", "@fontsource-variable/inter"], ["inter-latin.woff2", "@fontsource-variable/inter"],
  ["jetbrains-mono.woff2", "@fontsource-variable/jetbrains-mono"], ["jetbrains-mono-latin.woff2", "@fontsource-variable/jetbrains-mono"],
];
const rows = PARTS.map(([file, name]) => {
  const about = JSON.parse(readFileSync(join(modules, name, "package.json"), "utf8"));
  return `| ${file} | ${name} | ${about.version} | ${about.license} |`;
});
writeFileSync(join(out, "THIRD_PARTY.md"), [
  "# Browser files of other projects", "",
  "Built by `tools/vendor` from the npm packages that `tools/vendor/package-lock.json` locks. echarts.js holds zrender (BSD-3-Clause), too.", "",
  "| file | package | version | licence |", "|---|---|---|---|", ...rows, "",
].join("\n"));
const sums = readdirSync(out).filter((name) => name !== "SHA256SUMS").sort()
  .map((name) => `${createHash("sha256").update(readFileSync(join(out, name))).digest("hex")}  ${name}`);
writeFileSync(join(out, "SHA256SUMS"), `${sums.join("\n")}\n`);
for (const name of readdirSync(out)) console.log(relative(here, join(out, name)), statSync(join(out, name)).size);
