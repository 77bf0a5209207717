/** Checks that imports and output follow the layout of docs/contributing.md; part of `npm run lint`. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, normalize } from "node:path";
import { fileURLToPath } from "node:url";

/** The folders and files of src/, from the bottom up. A module imports from its own layer and from those below it. */
export const LAYERS = [
  "errors.ts",
  "packageFiles.ts",
  "json.ts",
  "finding.ts",
  "credentials",
  "access",
  "config",
  "render",
  "services",
  "stack.ts",
  "docker",
  "host",
  "terminal",
  "session.ts",
  "swarm",
  "registry",
  "frontDoor",
  "history",
  "secrets",
  "users",
  "diff",
  "storage",
  "maintenance",
  "mirror",
  "doctor",
  "deploy",
  "backup",
  "alerts",
  "bundle",
  "adopt",
  "commands",
  "cli.ts",
];

/** Packages that belong to some layers only. */
const HOMES: Readonly<Record<string, readonly string[]>> = {
  "@clack/prompts": ["terminal"],
  bcryptjs: ["credentials"],
  "@commander-js/extra-typings": ["commands", "cli.ts"],
  execa: ["docker", "host"],
};

/** Layers that compute and do nothing else: no program, no file, no network. */
const PURE = ["finding.ts", "credentials", "access", "config", "render", "services", "stack.ts"];

const EDGES = /^(execa|node:(child_process|fs|net|http|https|tls|dns)(\/.*)?)$/;

/** The templates are part of the program, so the one module that reads them may; and one begins what nginx runs. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  "render/templates.ts": "node:fs",
  "services/gateway/program/main.ts": "node:fs",
};

const IMPORT = /\b(?:from|import)\s*\(?\s*"([^"]+)"/g;

/** Text reaches a terminal in one place, where it is made printable. */
const OUTPUT = { path: "terminal/output.ts", pattern: /\bprocess\.std(?:out|err)\.write\b|\bconsole\./ };

/**
 * What breaks the layout.
 *
 * @param modules text of each module, by its path below src/
 * @returns one sentence for each import or output that is not allowed, and for each circle
 */
export function layoutFaults(modules: ReadonlyMap<string, string>): string[] {
  const faults = [...modules].flatMap(([path, text]) => {
    const writes =
      path !== OUTPUT.path && OUTPUT.pattern.test(text)
        ? [`src/${path}: writes to the terminal by itself, which belongs in src/${OUTPUT.path}`]
        : [];
    const specifiers = [...text.matchAll(IMPORT)].map(([, specifier = ""]) => specifier);
    const imports = specifiers.flatMap((specifier) => {
      const fault = specifier.startsWith(".") ? wrongWay(path, specifier) : wrongPackage(path, specifier);
      return fault === undefined ? [] : [`src/${path}: ${fault}`];
    });
    return [...imports, ...writes];
  });
  return [...faults, ...circles(modules)];
}

/** Modules that need each other, each circle once. */
function circles(modules: ReadonlyMap<string, string>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]): void => {
    const start = way.indexOf(path);
    if (start >= 0) found.push(`a circle of imports: ${[...way.slice(start), path].join(" -> ")}`);
    if (start >= 0 || done.has(path)) return;
    for (const [, specifier = ""] of (modules.get(path) ?? "").matchAll(IMPORT))
      if (specifier.startsWith(".")) visit(targetOf(path, specifier), [...way, path]);
    done.add(path);
  };
  for (const path of modules.keys()) visit(path, []);
  return found;
}

const targetOf = (path: string, specifier: string): string =>
  normalize(`${dirname(path)}/${specifier}`).replace(/\.js$/, ".ts");

const layerOf = (path: string): string => path.split("/")[0] ?? "";

function wrongWay(path: string, specifier: string): string | undefined {
  const target = targetOf(path, specifier);
  const [from, to] = [layerOf(path), layerOf(target)].map((layer) => LAYERS.indexOf(layer)) as [
    number,
    number,
  ];
  if (from < 0) return `${layerOf(path)} is not in the list of layers in scripts/layout.ts`;
  return to <= from ? undefined : `imports ${target}, which is in a layer above it`;
}

function wrongPackage(path: string, name: string): string | undefined {
  const layer = layerOf(path);
  const homes = HOMES[name];
  if (homes && !homes.includes(layer)) return `imports ${name}, which belongs in ${homes.join(" or ")}`;
  if (!PURE.includes(layer) || !EDGES.test(name) || EXCEPTIONS[path] === name) return undefined;
  return `imports ${name}, but ${layer} is pure`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = new URL("../src/", import.meta.url);
  const paths = (readdirSync(root, { recursive: true }) as string[]).filter((path) => path.endsWith(".ts"));
  const faults = layoutFaults(
    new Map(paths.map((path) => [path, readFileSync(new URL(path, root), "utf8")])),
  );
  for (const fault of faults) process.stderr.write(`${fault}\n`);
  if (faults.length > 0) process.exitCode = 1;
}
