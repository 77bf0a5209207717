/**
 * Builds dist/hephaestus.js: the whole program in one file, with the packages that it needs and their licenses beside it. It starts
 * in half of the time of 300 modules. A run that measures coverage needs its map too.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import Handlebars from "handlebars";
import { GATEWAY_PROGRAM } from "../src/render/gatewayProgram.js";
import { loadTemplates } from "../src/render/templates.js";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Compiling a template takes longer than all else that a command does, so the program gets them compiled. */
function compiledTemplates(): string {
  const templates = Object.values(loadTemplates()).map((text) => {
    const compiled = Handlebars.precompile(text, { strict: true, noEscape: true });
    return `[${JSON.stringify(text)}, ${compiled}]`;
  });
  return `import Runtime from "handlebars/runtime.js";
const templates = new Map([${templates.join(",\n")}]);
export default {
  compile(text) {
    if (templates.has(text)) return Runtime.template(templates.get(text));
    throw new Error("A template is not as it was when this program was built: npm run build");
  },
};`;
}

/** The commit of this checkout, which ends with -dirty if files differ from it; a copy without git has none. */
function commit(): string | undefined {
  const args = ["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"];
  const { status, stdout } = spawnSync("git", args, { cwd: ROOT, encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
}

/** The files that the program reads, so that it needs no others. */
function packageFiles(): string {
  const folders = ["templates", "ops-scripts"].flatMap((folder) =>
    readdirSync(`${ROOT}${folder}`, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(ROOT, join(entry.parentPath, entry.name))),
  );
  const texts = ["package.json", ...folders.sort()].map((path) => [
    path,
    readFileSync(`${ROOT}${path}`, "utf8"),
  ]);
  return `const texts = new Map(${JSON.stringify(texts)});
export const PACKAGE = new URL("../", import.meta.url);
export const COMMIT = ${JSON.stringify(commit())};
export const packageFile = (path) => texts.get(path);`;
}

/** What takes the place of modules, by their paths. */
const replaced = (path: RegExp, contents: () => string): Plugin => ({
  name: path.source,
  setup: ({ onLoad }) => onLoad({ filter: path }, () => ({ contents: contents(), resolveDir: ROOT })),
});

const { metafile, outputFiles } = await build({
  absWorkingDir: ROOT,
  entryPoints: ["src/cli.ts"],
  outfile: "dist/hephaestus.js",
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20.19",
  sourcemap: process.env.HEPHAESTUS_COVERAGE !== undefined,
  metafile: true,
  write: false,
  // Packages of CommonJS call it.
  banner: {
    js: 'import { createRequire } from "node:module";\nconst require = createRequire(import.meta.url);',
  },
  plugins: [
    replaced(/handlebars\/lib\/index\.js$/, compiledTemplates),
    replaced(/\/src\/packageFiles\.ts$/, packageFiles),
    replaced(
      /\/src\/render\/gatewayProgram\.ts$/,
      () => `export const GATEWAY_PROGRAM = ${JSON.stringify(GATEWAY_PROGRAM)};`,
    ),
    // The messages of zod in fifty languages.
    replaced(/zod\/v4\/locales\/index\.js$/, () => "export {};"),
  ],
});

/** The licenses of the packages that are in the program, as they ask for. */
function licenses(): string {
  const packages = Object.keys(metafile.inputs).flatMap(
    (path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? [],
  );
  return [...new Set(packages)]
    .sort()
    .map((folder) => {
      const { name, version, license } = JSON.parse(readFileSync(`${ROOT}${folder}/package.json`, "utf8"));
      const file = readdirSync(`${ROOT}${folder}`).find((entry) => /^licen[cs]e/i.test(entry));
      return `${name} ${version} (${license})\n\n${file ? readFileSync(`${ROOT}${folder}/${file}`, "utf8").trim() : ""}\n`;
    })
    .join("\n---\n\n");
}

const files = new Map(outputFiles.map(({ path, text }) => [basename(path), text]));
files.set("licenses.txt", licenses());
mkdirSync(`${ROOT}dist`, { recursive: true });
for (const [name, text] of files) {
  const file = `${ROOT}dist/${name}`;
  // Programs that are just starting read the old one or the new one.
  if (existsSync(file) && readFileSync(file, "utf8") === text) continue;
  writeFileSync(`${file}.${process.pid}`, text);
  renameSync(`${file}.${process.pid}`, file);
}
for (const name of readdirSync(`${ROOT}dist`))
  if (!files.has(name)) rmSync(`${ROOT}dist/${name}`, { recursive: true });
