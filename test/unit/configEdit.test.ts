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
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { upgrade } from "../../src/commands/upgrade.js";
import { ConfigError } from "../../src/config/configFindings.js";
import { ExitCode, type OperatorError } from "../../src/errors.js";
import { HEPHAESTUS, Terminal } from "../support/terminal.js";

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
    const terminal = Terminal.open([...HEPHAESTUS, "upgrade"], { cwd: folder });
    await terminal.answer(/Write these changes to/, answer);
    const { exitCode, text: shown } = await terminal.end();
    expect(exitCode, shown).toBe(ExitCode.ok);
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
