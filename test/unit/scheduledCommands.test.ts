import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { buildProgram, main } from "../../src/cli.js";
import { ExitCode } from "../../src/errors.js";

/** The commands that print units of systemd for themselves: what they pass on to the units, and what they refuse. */

let folder: string;
let out: string;
let err: string;
const ALERTS = "alerts: { url: https://chat.example.com/hook }";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "units-"));
  configure(ALERTS);
  [out, err] = ["", ""];
  const into = (add: (text: string) => void) => (text: unknown) => {
    add(String(text));
    return true;
  };
  vi.spyOn(process.stdout, "write").mockImplementation(into((text) => (out += text)));
  vi.spyOn(process.stderr, "write").mockImplementation(into((text) => (err += text)));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

const config = () => join(folder, "hephaestus.yaml");
const configure = (more: string) => writeFileSync(config(), `version: 1\ndomain: example.com\n${more}\n`);
const hephaestus = (command: string, ...args: string[]) =>
  main(["node", "hephaestus", command, "--config", config(), ...args]);
const line = (key: string) => new RegExp(`^${key}=(.*)$`, "m").exec(out)?.[1];

/** Values of flags, as they are given and as they reach the command. */
const VALUES: Readonly<Record<string, readonly [string, string]>> = {
  "--context": ["far", "far"],
  "--timeout": ["7200", "7200"],
  "--user": ["ann", "ann"],
  "--output": [relative(process.cwd(), tmpdir()), tmpdir()],
};
/** These make the units, or are in them another way: a password comes from a file alone. */
const OF_UNITS = [
  "--password-stdin",
  "--config",
  "--schedule",
  "--install",
  "--environment-file",
  "--password-file",
];

describe.each(["maintain", "doctor"])("%s --schedule", (name) => {
  const command = buildProgram(() => undefined).commands.find((one) => one.name() === name);
  const flags = (command?.options ?? []).map(({ long }) => long ?? "").filter((f) => !OF_UNITS.includes(f));
  // Both at once are refused.
  test.each(["--quiet", "--verbose"])("passes on every flag but %s", async (left) => {
    const given = flags.filter((flag) => flag !== left);
    const words = given.flatMap((flag) => [flag, ...(VALUES[flag]?.slice(0, 1) ?? [])]);
    expect(await hephaestus(name, ...words, "--schedule", "Sun 04:00"), err).toBe(ExitCode.ok);
    const run = `${line("ExecStart")} `;
    for (const flag of given)
      expect(run).toContain(` ${[flag, ...(VALUES[flag]?.slice(1) ?? [])].join(" ")} `);
    expect(new Set(run.trim().split(" ")).size).toBe(run.trim().split(" ").length);
  });
});

describe("doctor --environment-file", () => {
  test("is read by the units, from wherever they run", async () => {
    expect(await hephaestus("doctor", "--schedule", "--environment-file", "alert.env")).toBe(ExitCode.ok);
    expect(line("EnvironmentFile")).toBe(join(process.cwd(), "alert.env"));
    expect(line("ExecStart")).toMatch(/ doctor --config hephaestus\.yaml --notify --quiet$/);
    expect(line("OnCalendar")).toBe("*:0/15");
  });

  test("is the way to report where the config names none, so that one of both is needed", async () => {
    configure("");
    vi.stubEnv("HEPHAESTUS_ALERT_URL", "https://chat.example.com/hook");
    expect(await hephaestus("doctor", "--schedule")).toBe(ExitCode.usage);
    expect(err).toContain("there is nowhere to report to");
    expect(err).toContain("--environment-file");
    expect(await hephaestus("doctor", "--schedule", "--environment-file", "alert.env")).toBe(ExitCode.ok);
    vi.unstubAllEnvs();
  });
});

test.each([
  ["doctor", "--environment-file"],
  ["maintain", "--password-file"],
])("%s %s is refused without units, which alone would read it", async (command, flag) => {
  expect(await hephaestus(command, flag, config())).toBe(ExitCode.usage);
  expect(err).toContain(`${flag} is for the units`);
});

test.each([
  ["doctor", "--environment-file"],
  ["maintain", "--password-file"],
])("%s --install %s wants a file that is there", async (command, flag) => {
  expect(await hephaestus(command, "--install", flag, join(folder, "none"))).toBe(ExitCode.usage);
  expect(err).toContain(`${join(folder, "none")}: there is no such file`);
});
