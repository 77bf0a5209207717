import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CommandUnknownOpts as Command } from "@commander-js/extra-typings";
import { describe, expect, test } from "vitest";
import { buildProgram } from "../../../src/cli.js";
import { ExitCode } from "../../../src/errors.js";
import { folder, hephaestus, hephaestusWith, PROGRAM, spawn, useFolder } from "../../support/commandLine.js";
import { shortPauses } from "../../support/shortPauses.js";

// What asks a registry that is not there asks four times.
shortPauses();

useFolder();

const all = (command: Command): Command[] => [command, ...command.commands.flatMap(all)];
const pathOf = (command: Command): string[] =>
  command.parent ? [...pathOf(command.parent), command.name()] : [];
const commands = all(buildProgram(() => undefined)).filter(({ parent }) => parent !== null);

describe("every failure is an event with --json:", () => {
  const paths = commands
    .filter(({ options }) => options.some(({ long }) => long === "--json"))
    .map((command) => [
      ...pathOf(command),
      ...command.registeredArguments.filter(({ required }) => required).map(() => "Name"),
    ]);
  const last = (stdout: string) =>
    JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Record<string, unknown>;

  test.each(paths.map((path) => [path.join(" "), path] as const))("%s", async (_, path) => {
    const usage = await hephaestus(...path, "--json", "--no-such-flag");
    expect(usage.exitCode).toBe(ExitCode.usage);
    expect(last(usage.stdout)).toMatchObject({ event: "error", exitCode: ExitCode.usage });

    writeFileSync(join(folder, "hephaestus.yaml"), "domain: forge.example\nregistry: { replica: 2 }\n");
    const config = await hephaestus(...path, "--json");
    if (config.exitCode === ExitCode.config)
      expect(last(config.stdout)).toMatchObject({
        event: "error",
        findings: [{ file: "hephaestus.yaml", line: 2, column: 13, path: "registry.replica" }],
      });

    writeFileSync(join(folder, "hephaestus.yaml"), "domain: forge.example\n");
    await hephaestus("render");
    const failed = await hephaestus(...path, "--json");
    if (path[0] === "doctor") return expect(failed.exitCode).toBe(ExitCode.found);
    if (path[0] === "version") return expect(failed.exitCode).toBe(ExitCode.ok);
    // What asks the registry first finds that it does not answer.
    expect([ExitCode.preflight, ExitCode.usage, ExitCode.verify], failed.stderr).toContain(failed.exitCode);
    const event = last(failed.stdout);
    expect(event).toMatchObject({ event: "error", exitCode: failed.exitCode });
    expect(failed.stderr).toContain(
      String(event.message)
        .split("\n")
        .find((line) => line.trim() !== "")
        ?.trim(),
    );
  });
});

describe("each command's help has an example that runs:", () => {
  const surroundings = { env: { REGISTRY_RAW_PASSWORD: "Anvil-and-hammer-7" } };

  /** An example of words runs in this process, one that needs a shell in bash. */
  async function run(example: string) {
    const [name, ...args] = [...example.matchAll(/'([^']*)'|(\S+)/g)].map(
      ([, quoted, word]) => quoted ?? word,
    );
    if (name === "hephaestus" && !/["$|&<>;]/.test(example))
      return hephaestusWith(surroundings, ...(args as string[]));
    symlinkSync(PROGRAM, join(folder, "hephaestus"));
    return spawn("bash", ["-c", `PATH=$PWD:$PATH; ${example}`], surroundings);
  }

  test.each(commands.map((command) => [pathOf(command).join(" ")] as const))("%s", async (name) => {
    const help = await hephaestus(...name.split(" "), "--help");
    expect(help.exitCode).toBe(ExitCode.ok);
    // A day in an example lies in the past one day.
    const example = (/^Example:\n {2}(.+)$/m.exec(help.stdout)?.[1] ?? "").replace(/20\d\d-/, "2999-");
    expect(example).toContain("hephaestus ");
    if (name !== "init") await hephaestus("init", "--yes", "--domain", "example.com");
    if (name !== "init") await hephaestus("render");
    writeFileSync(join(folder, "ci-password"), "Anvil-and-hammer-7");
    if (name === "bundle load") writeFileSync(join(folder, "forge.bundle"), "");
    const { exitCode, stdout, stderr } = await run(example);
    // Where there is no Docker, and no registry of that name, most say so; none is taken for a wrong command line.
    expect([ExitCode.ok, ExitCode.preflight, ExitCode.verify], `${stdout}\n${stderr}`).toContain(exitCode);
  });
});
