import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { LAYERS } from "../../scripts/layout.js";
import { generatedPages } from "../../scripts/reference.js";
import { buildProgram } from "../../src/cli.js";
import { newestRegistry } from "../../src/config/imageUpgrade.js";
import { loadConfig } from "../../src/config/load.js";
import { composedSpec } from "../../src/diff/composedService.js";
import { differenceLines } from "../../src/diff/differenceLines.js";
import { compareSpecs } from "../../src/diff/serviceDifferences.js";
import { CHECKS } from "../../src/doctor/allChecks.js";
import { judgeStorage } from "../../src/doctor/storageChecks.js";
import { loadTemplates } from "../../src/render/templates.js";
import { renderFiles } from "../../src/stack.js";
import { shown } from "../../src/terminal/output.js";
import { findingLines } from "../../src/terminal/showFindings.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const pages = [
  ...readdirSync(ROOT).filter((name) => name.endsWith(".md")),
  ...["docs", "docs/examples", "test"].flatMap((folder) =>
    readdirSync(join(ROOT, folder))
      .filter((name) => name.endsWith(".md"))
      .map((name) => `${folder}/${name}`),
  ),
];
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

/** The fragment that a heading gets on the usual forges. */
const anchor = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");

describe.each(pages)("%s", (page) => {
  const links = [...read(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);

  test("has no dead link", () => {
    for (const link of links.filter((target) => !/^https?:/.test(target))) {
      const [path = "", fragment] = link.split("#");
      const target = path === "" ? page : join(dirname(page), path);
      expect(existsSync(join(ROOT, target)), `${page} -> ${link}`).toBe(true);
      if (fragment === undefined) continue;
      const headings = [...read(target).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => anchor(heading));
      expect(headings, `${page} -> ${link}`).toContain(fragment);
    }
  });
});

test("every page of docs/ is linked from the README", () => {
  const readme = read("README.md");
  for (const page of pages.filter((path) => /^docs\/[^/]+$/.test(path)))
    expect(readme).toContain(`(${page})`);
});

test("docs/contributing.md has every layer of the code, from the top down", () => {
  const rows = [...read("docs/contributing.md").matchAll(/^\| `src\/([\w.]+)\/?` /gm)];
  expect(rows.map(([, layer]) => layer)).toEqual([...LAYERS].reverse());
});

test("every command is in the README", () => {
  const readme = read("README.md");
  for (const command of buildProgram(() => undefined).commands)
    expect(readme).toContain(`| \`hephaestus ${command.name()}\` `);
});

/** Files of the checkout, below the folders that the pages for developers name. */
const files = [
  ...readdirSync(ROOT),
  ...[
    "bench",
    "docs",
    "demo",
    "ops-scripts",
    "scripts",
    "src",
    "templates",
    "test",
    ".ci",
    ".github",
  ].flatMap((folder) =>
    (readdirSync(join(ROOT, folder), { recursive: true }) as string[]).map((name) => `${folder}/${name}`),
  ),
];

/** What a page names as code that looks like a path: with a slash in it, or with the ending of a source file. */
const pathsIn = (page: string): string[] =>
  [...read(page).matchAll(/`([^`\n]+)`/g)]
    .flatMap(([, code = ""]) => code.split(" "))
    .filter((word) => /^\w[\w.-]*(\/[\w.-]+)*\/?$/.test(word) && /\/|\.(ts|js|sh|conf|yml|json)$/.test(word));

test("each path exists that a page for developers names", () => {
  const named = ["docs/contributing.md", "docs/design.md", "test/README.md"].flatMap((page) =>
    pathsIn(page).map((path) => ({ page, path })),
  );
  expect(named.length).toBeGreaterThan(50);
  const isThere = (path: string) => files.some((file) => `/${file}`.endsWith(`/${path.replace(/\/$/, "")}`));
  expect(named.filter(({ path }) => !isThere(path))).toEqual([]);
});

test("the sample of diff in docs/deploy.md is what it prints", () => {
  const specsOf = (more: string) => {
    const { config } = loadConfig(`domain: example.com\n${more}`, "hephaestus.yaml", {});
    const [compose] = renderFiles(config, loadTemplates(), "hephaestus.yaml");
    const model = parse(compose?.text ?? "") as Parameters<typeof composedSpec>[1];
    return Object.keys(model.services).map((service) => composedSpec(config.stack, model, service, {}));
  };
  const wanted = specsOf(
    "traefik: { certResolver: letsencrypt }\nui: { resources: { limits: { memory: 256M } } }\n",
  );
  const names = { stack: "hephaestus", networks: new Map<string, string>() };
  const lines = differenceLines(compareSpecs(wanted, specsOf(""), names, "always")).map((line) =>
    shown(line),
  );
  expect(read("docs/deploy.md")).toContain(["$ hephaestus diff", ...lines, "```"].join("\n"));
});

test("the sample of doctor in docs/doctor.md is what it prints", () => {
  const storage = { disk: undefined, inodes: undefined, writable: false, readOnly: false };
  const found = judgeStorage("/mnt/storage/registry", "10001:10001", storage, []);
  const lines = findingLines(found).map((line) => shown(line));
  const { config } = loadConfig("domain: example.com\n", "hephaestus.yaml", {});
  const checks = CHECKS.filter(({ applies }) => applies?.(config) ?? true).length;
  expect(read("docs/doctor.md")).toContain(
    ["$ hephaestus doctor", ...lines, "", `1 error found; ${checks} things checked`, "```"].join("\n"),
  );
});

test("the README is short", () => {
  expect(read("README.md").split("\n").length).toBeLessThanOrEqual(200);
});

test.each(
  generatedPages().map(({ path, text }) => [path, text] as const),
)("%s is what the program says; npm run reference writes it", (path, text) => {
  expect(read(path)).toBe(text);
});

describe("codes of findings", () => {
  const source = (readdirSync(join(ROOT, "src"), { recursive: true }) as string[])
    .filter((path) => path.endsWith(".ts"))
    .map((path) => read(`src/${path}`))
    .join("\n");
  const declarations = [...source.matchAll(/= findingKinds\(([\s\S]*?)\n\}\);/g)].map(
    ([, text = ""]) => text,
  );
  const declared = declarations.flatMap((text) =>
    [...text.matchAll(/^ {2}"?([a-z-]+)"?: (?:error|warning|errorOrWarning)\(/gm)].map(
      ([, code = ""]) => code,
    ),
  );
  const listed = [...read("docs/findings.md").matchAll(/^\| `([a-z-]+)`/gm)].map(([, code = ""]) => code);

  test("are those of docs/findings.md, each once", () => {
    expect(declared.length).toBeGreaterThan(90);
    expect([...listed].sort()).toEqual([...new Set(declared)].sort());
    expect(declared).toHaveLength(listed.length);
  });

  test("have words of their own for what to do", () => {
    const cells = read("docs/findings.md")
      .split("\n")
      .filter((line) => line.startsWith("| `"));
    expect(cells.filter((line) => /\| \*\w+\* *\|/.test(line))).toEqual([]);
  });

  test("are made somewhere", () => {
    const made = declarations.reduce((text, declaration) => text.replace(declaration, ""), source);
    expect(declared.filter((code) => !made.includes(`"${code}"`))).toEqual([]);
  });

  test("are in no other table of the docs", () => {
    const others = pages.filter((page) => page !== "docs/findings.md");
    const rows = others.flatMap((page) =>
      [...read(page).matchAll(/^\| `([a-z-]+)`/gm)].map(([, code = ""]) => `${page}: ${code}`),
    );
    expect(rows.filter((row) => declared.some((code) => row.endsWith(`: ${code}`)))).toEqual([]);
  });
});

const examples = readdirSync(join(ROOT, "docs/examples")).filter((name) => name.endsWith(".yaml"));

test("there are at least six examples, each in the list", () => {
  expect(examples.length).toBeGreaterThanOrEqual(6);
  for (const name of examples) expect(read("docs/examples/README.md")).toContain(`(${name})`);
});

test.each(examples)("the example %s is a sound config and renders", (name) => {
  const { config, warnings } = loadConfig(read(`docs/examples/${name}`), name, {});
  expect(warnings).toEqual([]);
  expect(renderFiles(config, loadTemplates(), name).length).toBeGreaterThan(3);
  expect(config.registry.image).toBe(`registry:${newestRegistry(3).version}`);
});

describe("how to get the program:", () => {
  const files = ["x64", "arm64"].map((architecture) => `hephaestus-linux-${architecture}`);
  const workflow = read(".github/workflows/release.yml");

  test("no page names an address that is not ours, and nothing is published to npm", () => {
    for (const page of ["README.md", "docs/install.md"])
      expect(read(page), page).not.toMatch(/ghcr\.io|npm install --global (?!\.)/);
    expect(JSON.parse(read("package.json"))).toMatchObject({ private: true, name: "hephaestus" });
    expect(workflow).not.toContain("npm publish");
  });

  test("the release and the Dockerfile take the files that npm run program writes", () => {
    const script = read("scripts/programFile.ts");
    expect(script).toContain("`hephaestus-linux-${arch}`");
    for (const architecture of ["x64", "arm64"]) {
      expect(script).toContain(`\n  ${architecture}: {`);
      expect(workflow).toContain(`architecture: ${architecture} }`);
    }
    expect(workflow).toContain("hephaestus-linux-${{ matrix.architecture }}");
    expect(read("Dockerfile")).toContain(`ARG PROGRAM=${files[0]}\nCOPY program/$PROGRAM `);
  });

  test("every action of a workflow is pinned by its commit", () => {
    for (const name of readdirSync(join(ROOT, ".github/workflows")))
      expect(read(`.github/workflows/${name}`).match(/uses: (?!\S+@[0-9a-f]{40} # v\d)/g), name).toBeNull();
  });
});
