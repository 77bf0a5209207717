/** Writes the generated pages of docs/: `npm run reference`; with --check it only reports the stale ones. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { CONFIG_VERSION, jsonSchema } from "../src/config/schema/index.js";
import { commandReference, exitCodeTable } from "./commandReference.js";
import { configReference } from "./configReference.js";
import { findingReference } from "./findingReference.js";

export interface Page {
  /** Relative to the root of the repository. */
  path: string;
  text: string;
}

const ROOT = new URL("../", import.meta.url);

/** What stands between the markers of each page. */
const PARTS: Readonly<Record<string, Readonly<Record<string, () => string>>>> = {
  "docs/configuration.md": { reference: configReference },
  "docs/commands.md": { commands: commandReference, "exit-codes": exitCodeTable },
  "docs/findings.md": { findings: findingReference },
};

/** The JSON Schema of one version of the file's format, under a name that stays: for editors and for schema stores. */
const schemaFile = (): Page => ({
  path: `schema/hephaestus-v${CONFIG_VERSION}.schema.json`,
  text: `${JSON.stringify(jsonSchema(), null, 2)}\n`,
});

/** The generated files as they should be: in the pages of docs/, the text around the markers stays. */
export const generatedPages = (): Page[] => [
  schemaFile(),
  ...Object.entries(PARTS).map(([path, parts]) => {
    const present = readFileSync(new URL(path, ROOT), "utf8");
    const text = Object.entries(parts).reduce((page, [name, part]) => withPart(page, name, part()), present);
    return { path, text };
  }),
];

/** A page with the part between two markers replaced. */
function withPart(page: string, name: string, part: string): string {
  const [begin, end] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`the page lacks ${begin} or ${end}`);
  return `${page.slice(0, from + begin.length)}\n\n${part}\n\n${page.slice(to)}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const { path, text } of generatedPages()) {
    const file = new URL(path, ROOT);
    if (existsSync(file) && readFileSync(file, "utf8") === text) continue;
    if (process.argv.includes("--check")) {
      process.stderr.write(`${path} is stale. Write it with: npm run reference\n`);
      process.exitCode = 1;
    } else {
      mkdirSync(new URL(".", file), { recursive: true });
      writeFileSync(file, text);
    }
  }
}
