import {
  type Document,
  isMap,
  isNode,
  isScalar,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLMap,
} from "yaml";
import { ConfigError, type Finding, sortFindings } from "./configFindings.js";
import { type Explanation, explain } from "./explain.js";
import { type Config, resolve } from "./resolve.js";
import { rules } from "./rules.js";
import { configSchema } from "./schema/index.js";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface LoadedConfig {
  config: Config;
  /** Findings that do not stop anything. */
  warnings: Finding[];
}

type Path = readonly PropertyKey[];
type Place = Pick<Finding, "file" | "line" | "column">;

/** Rounds of judging what is left; each takes out what it found, so that few are ever needed. */
const MOST_ROUNDS = 10;

/**
 * Reads a config from its text: YAML, schema and rules, every finding with its place in the file.
 *
 * @param source text of hephaestus.yaml
 * @param file name to show in findings
 * @param environment where ${NAME} in `domain` is looked up
 * @throws ConfigError with all findings, when at least one is an error
 */
export function loadConfig(source: string, file: string, environment: Environment): LoadedConfig {
  const { document, at } = readDocument(source, file);
  const place = (path: Path, ofKey: boolean) => at(offsetOf(document, path, ofKey));
  const { value, findings } = substitute(plainValue(document, at), environment, place);

  let parsed = configSchema.safeParse(value);
  let remaining = value;
  // What is wrong is reported and taken out, and the rest judged again: so one run shows every mistake, those
  // that the schema looks for only in a sound object and those of the rules included.
  for (let round = 0; !parsed.success && round < MOST_ROUNDS; round++) {
    const explanations = parsed.error.issues.flatMap((issue) =>
      explain(issue, valueAt(remaining, issue.path)),
    );
    for (const explanation of explanations) {
      const { path, message, remedy, ofKey = false } = explanation;
      // A parent that lacks what was taken out is no mistake of its writer.
      if (findings.some((known) => `${known.path}.`.startsWith(`${dotted(path)}.`))) continue;
      findings.push({ severity: "error", ...place(path, ofKey), path: dotted(path), message, remedy });
    }
    remaining = without(remaining, explanations);
    parsed = configSchema.safeParse(remaining);
  }
  if (parsed.success) {
    for (const rule of rules) {
      for (const issue of [rule(parsed.data) ?? []].flat()) {
        if (findings.some(({ path }) => path === dotted(issue.path))) continue;
        findings.push({ ...issue, ...place(issue.path, false), path: dotted(issue.path) });
      }
    }
  }

  if (!parsed.success || findings.some(({ severity }) => severity === "error")) {
    throw new ConfigError(sortFindings(findings));
  }
  return { config: resolve(parsed.data), warnings: sortFindings(findings) };
}

/**
 * Reads a config's YAML, whatever it says.
 *
 * @param file name to show in findings
 * @throws ConfigError when it is no YAML
 */
function readDocument(source: string, file: string): { document: Document; at: (offset: number) => Place } {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false, logLevel: "error" });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };

  const syntax = document.errors.map(
    (problem): Finding => ({
      severity: "error",
      ...at(problem.pos[0]),
      path: "",
      message: `not valid YAML: ${problem.message.split("\n")[0]}`,
      remedy: "Check indentation, quotes and colons on this line.",
    }),
  );
  if (syntax.length > 0) throw new ConfigError(sortFindings(syntax));
  return { document, at };
}

/** The document as plain values; an alias to nothing, to itself or to too much is a mistake of its writer. */
function plainValue(document: Document, at: (offset: number) => Place) {
  try {
    const value: unknown = document.toJS() ?? {};
    JSON.stringify(value);
    return value;
  } catch (cause) {
    const message = `not valid YAML: ${(cause as Error).message.split("\n")[0]}`;
    const remedy = "Write the value itself instead of the alias (*name).";
    throw new ConfigError([{ severity: "error", ...at(0), path: "", message, remedy }]);
  }
}

/** Replaces ${NAME} and ${NAME:-default} in `domain`, the one value that may differ from place to place. */
function substitute(
  value: unknown,
  environment: Environment,
  place: (path: Path, ofKey: boolean) => Place,
): { value: unknown; findings: Finding[] } {
  const domain = (value as { domain?: unknown }).domain;
  const reference = typeof domain === "string" ? /^\$\{([A-Za-z_]\w*)(?::-([^}]*))?\}$/.exec(domain) : null;
  if (!reference) return { value, findings: [] };
  const [, name = "", fallback] = reference;
  const found = environment[name] || fallback;
  if (found) return { value: { ...(value as object), domain: found }, findings: [] };
  const finding: Finding = {
    severity: "error",
    ...place(["domain"], false),
    path: "domain",
    message: `the environment variable ${name} is not set`,
    remedy: `Set it (export ${name}=example.com), or write the domain itself.`,
  };
  return { value, findings: [finding] };
}

const dotted = (path: Path): string => path.map(String).join(".");

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (inner, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key],
    value,
  );
}

/** A copy of the value that lacks what the explanations are about, with a domain where that is gone. */
function without(value: unknown, explanations: readonly Explanation[]): unknown {
  const copy = structuredClone(value);
  // The last entries of a list go first, so that the places of the others stay true.
  for (const { path } of [...explanations].sort((a, b) => placeInList(b.path) - placeInList(a.path))) {
    const parent = valueAt(copy, path.slice(0, -1));
    const key = path.at(-1);
    if (key === undefined) return { domain: "example.com" };
    if (Array.isArray(parent)) parent.splice(Number(key), 1);
    else if (parent !== null && typeof parent === "object")
      delete (parent as Record<PropertyKey, unknown>)[key];
  }
  return { domain: "example.com", ...(copy as object) };
}

function placeInList(path: Path): number {
  const last = path.at(-1);
  return typeof last === "number" ? last : -1;
}

/** Where a path stands in the text: its key, its value, or the nearest parent that exists. */
function offsetOf(document: Document, path: Path, ofKey: boolean): number {
  for (let depth = path.length; depth > 0; depth--) {
    const parent = depth === 1 ? document.contents : document.getIn(path.slice(0, depth - 1), true);
    const key = path[depth - 1];
    if (isMap(parent)) {
      const pair = (parent as YAMLMap<Node, Node | null>).items.find(
        (item) => isScalar(item.key) && String(item.key.value) === String(key),
      );
      const node = ofKey && depth === path.length ? pair?.key : (pair?.value ?? pair?.key);
      if (node?.range) return node.range[0];
    }
    const node = document.getIn(path.slice(0, depth), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return document.contents?.range?.[0] ?? 0;
}
