import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { isMap } from "yaml";
import { migrate } from "../../src/commands/migrate.js";
import { upgrade } from "../../src/commands/upgrade.js";
import { ConfigError } from "../../src/config/configFindings.js";
import { explainVersion } from "../../src/config/explain.js";
import type { Migration } from "../../src/config/migration.js";
import { ExitCode, type OperatorError } from "../../src/errors.js";

let folder: string;
let file: string;
let said: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "edit-"));
  file = join(folder, "hephaestus.yaml");
  said = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    said += text;
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

const read = () => readFileSync(file, "utf8");

/** Formats that never were: in -1 the domain was `zone`, in 0 it stood below `dns`. */
const MADE_UP: readonly Migration[] = [
  {
    from: -1,
    to: 0,
    title: "zone is dns.zone",
    apply(document) {
      const zone = document.get("zone", true);
      document.delete("zone");
      document.set("dns", document.createNode({}));
      document.setIn(["dns", "zone"], zone);
    },
  },
  {
    from: 0,
    to: 1,
    title: "dns.zone is domain, pulls is registry.pull",
    apply(document) {
      for (const { from, to } of [
        { from: ["dns", "zone"], to: ["domain"] },
        { from: ["pulls"], to: ["registry", "pull"] },
      ]) {
        const value = document.getIn(from, true);
        if (value === undefined) continue;
        document.deleteIn(from);
        document.setIn(to, value);
      }
      const dns = document.get("dns");
      if (isMap(dns) && dns.items.length === 0) document.delete("dns");
    },
  },
];

const OLD = `# The registry of the forge.
version: 0
dns:
  zone: "forge.example" # bought in 2019
pulls: authenticated
# Images stay on the big disk.
registry:
  storage:
    path: '/srv/registry' # 4 TB
`;

describe("migrate", () => {
  test("says that a file of the current version is current, with a version or without", async () => {
    for (const text of ["version: 1\ndomain: a.example\n", "domain: a.example\n"]) {
      writeFileSync(file, text);
      expect(await migrate({ config: file, yes: true })).toBe(ExitCode.ok);
      expect(read()).toBe(text);
    }
    expect(said).toContain("is of version 1, the current one");
  });

  test("moves values, keeps comments and quotes, and shows it first", async () => {
    writeFileSync(file, OLD);
    expect(await migrate({ config: file, dryRun: true }, MADE_UP)).toBe(ExitCode.ok);
    expect(read()).toBe(OLD);
    expect(said).toContain("version 0 -> 1: dns.zone is domain, pulls is registry.pull");
    expect(said).toMatch(/^-version: 0$/m);
    expect(said).toMatch(/^\+version: 1$/m);

    expect(await migrate({ config: file, yes: true }, MADE_UP)).toBe(ExitCode.ok);
    expect(read()).toBe(`# The registry of the forge.
version: 1
# Images stay on the big disk.
registry:
  storage:
    path: '/srv/registry' # 4 TB
  pull: authenticated
domain: "forge.example" # bought in 2019
`);
    said = "";
    await migrate({ config: file, yes: true }, MADE_UP);
    expect(said).toContain("the current one");
  });

  test("goes all steps of a chain, in order", async () => {
    writeFileSync(file, "version: -1\nzone: forge.example # ours\n");
    expect(await migrate({ config: file, yes: true }, MADE_UP)).toBe(ExitCode.ok);
    expect(read()).toBe("version: 1\ndomain: forge.example # ours\n");
    expect(said.match(/^version .*/gm)).toEqual([
      "version -1 -> 0: zone is dns.zone",
      "version 0 -> 1: dns.zone is domain, pulls is registry.pull",
    ]);
  });

  test.each([
    ["2", /version 2 of the config format is newer/],
    ["-7", /there is no version -7/],
    ["one", /there is no version "one"/],
  ])("refuses version %s", async (version, message) => {
    const text = `version: ${version}\ndomain: a.example\n`;
    writeFileSync(file, text);
    const error = await failure(migrate({ config: file, yes: true }, MADE_UP));
    expect(error.message).toMatch(message);
    expect(error.exitCode).toBe(ExitCode.config);
    expect(read()).toBe(text);
  });

  test("refuses what would not be valid, with the findings, and leaves the file", async () => {
    const text = OLD.replace("authenticated", "everybody").replace("forge.example", "Forge!");
    writeFileSync(file, text);
    const error = await failure(migrate({ config: file, yes: true }, MADE_UP));
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as ConfigError).findings.map(({ path }) => path).sort()).toEqual([
      "domain",
      "registry.pull",
    ]);
    expect(read()).toBe(text);
    expect(readdirSync(folder)).toEqual(["hephaestus.yaml"]);
  });

  test.each([
    "version: 0\ndns: [\n",
    "version: 0\na: 1\na: 2\n",
  ])("refuses what is no YAML: %j", async (text) => {
    writeFileSync(file, text);
    expect(await failure(migrate({ config: file, yes: true }, MADE_UP))).toBeInstanceOf(ConfigError);
    expect(read()).toBe(text);
  });

  test("is named where a config of an older version is loaded", () => {
    expect(explainVersion([1], 0, MADE_UP).remedy).toContain("hephaestus migrate");
    expect(explainVersion([1], 2, MADE_UP).remedy).toContain("needs a newer hephaestus");
    expect(explainVersion([1], 0).remedy).not.toContain("migrate");
  });
});

describe("upgrade", () => {
  const text = "# ours\ndomain: a.example\nregistry: { image: registry:2.8.2 } # pinned\n";

  test("shows with --dry-run, refuses without anybody to ask, and writes with --yes", async () => {
    writeFileSync(file, text);
    expect(await upgrade({ config: file, dryRun: true })).toBe(ExitCode.ok);
    expect(said).toContain("registry.image: registry:2.8.2 -> registry:2.8.3\n    2.8.3 (2023-10-02): ");
    expect(said).toMatch(/^-registry: \{ image: registry:2\.8\.2 \} # pinned$/m);
    expect((await failure(upgrade({ config: file }))).exitCode).toBe(ExitCode.usage);
    expect(read()).toBe(text);
    expect(await upgrade({ config: file, yes: true })).toBe(ExitCode.ok);
    expect(read()).toBe(text.replace("2.8.2", "2.8.3"));
    expect(said).toContain("hephaestus render && hephaestus deploy");
  });

  test.each([
    ["y", true],
    ["n", false],
  ])("asks on a terminal; %s decides", async (answer, written) => {
    writeFileSync(file, text);
    // `script` makes a terminal; the built command runs on it.
    const cli = fileURLToPath(new URL("../../bin/hephaestus.js", import.meta.url));
    const line = `stty cols 80 rows 24; exec '${process.execPath}' '${cli}' upgrade`;
    const child = execa("script", ["-qec", line, "/dev/null"], {
      timeout: 30_000,
      cwd: folder,
      env: { PATH: process.env.PATH ?? "" },
      extendEnv: false,
      reject: false,
      all: true,
    });
    let shown = "";
    child.all.on("data", (chunk: Buffer) => {
      const before = shown;
      shown += String(chunk);
      if (shown.includes("Write this to") && !before.includes("Write this to")) child.stdin.write(answer);
    });
    const { exitCode, all } = await child;
    expect(exitCode, all).toBe(ExitCode.ok);
    expect(read()).toBe(written ? text.replace("2.8.2", "2.8.3") : text);
  });

  test("keeps the file's permissions, and a link a link", async () => {
    const real = join(folder, "real.yaml");
    writeFileSync(real, text);
    chmodSync(real, 0o640);
    symlinkSync("real.yaml", file);
    await upgrade({ config: file, yes: true });
    expect(lstatSync(file).isSymbolicLink()).toBe(true);
    expect(statSync(real).mode & 0o777).toBe(0o640);
    expect(readFileSync(real, "utf8")).toContain("2.8.3");
    expect(readdirSync(folder).sort()).toEqual(["hephaestus.yaml", "real.yaml"]);
  });

  test("says what stays, and that there is nothing to do", async () => {
    writeFileSync(file, "domain: a.example\nregistry: { image: registry:2.8.3 }\n");
    expect(await upgrade({ config: file, yes: true })).toBe(ExitCode.ok);
    expect(said).toContain("registry.image: registry:2.8.3 stays: it is the newest");
    expect(said).toContain("nothing to upgrade");
  });

  test("does not touch a config with mistakes", async () => {
    writeFileSync(file, `${text}stak: x\n`);
    expect(await failure(upgrade({ config: file, yes: true }))).toBeInstanceOf(ConfigError);
    expect(read()).toBe(`${text}stak: x\n`);
  });
});

const failure = (work: Promise<unknown>): Promise<OperatorError> =>
  work.then(
    () => Promise.reject(new Error("It did not fail.")),
    (error: OperatorError) => error,
  );
