import { beforeEach, expect, test } from "vitest";
import { buildProgram } from "../../../src/cli.js";
import { ExitCode } from "../../../src/errors.js";
import { hephaestus, useFolder } from "../../support/commandLine.js";

useFolder();
beforeEach(() => hephaestus("init", "--yes", "--domain", "forge.example"));

test("gc prints units of systemd that run it, and needs no Docker for that", async () => {
  const { exitCode, stdout } = await hephaestus("gc", "--delete-untagged", "--schedule", "Sun 04:00");
  expect(exitCode).toBe(0);
  expect(stdout).toContain("# /etc/systemd/system/hephaestus-gc.service\n[Unit]\n");
  expect(stdout).toMatch(
    /^ExecStart=\/\S+ \/\S+\/bin\/hephaestus\.js gc --config hephaestus\.yaml --delete-untagged$/m,
  );
  expect(stdout).toMatch(/^OnCalendar=Sun 04:00$/m);
  expect((await hephaestus("gc", "--schedule", "now; reboot")).exitCode).toBe(ExitCode.usage);
});

test("gc --schedule passes on every flag that gc takes", async () => {
  const gc = buildProgram(() => undefined).commands.find((command) => command.name() === "gc");
  const values: Record<string, string[]> = {
    "--config": ["hephaestus.yaml"],
    "--context": ["far"],
    "--timeout": ["7200"],
    "--schedule": ["Sun 04:00"],
  };
  const flags = (gc?.options ?? []).map(({ long }) => long ?? "");
  // Both at once are refused.
  for (const left of ["--quiet", "--verbose"]) {
    const given = flags.filter((flag) => flag !== left);
    const { exitCode, stdout, stderr } = await hephaestus(
      "gc",
      ...given.flatMap((flag) => [flag, ...(values[flag] ?? [])]),
    );
    expect(exitCode, stderr).toBe(0);
    const command = /^ExecStart=(.*)$/m.exec(stdout)?.[1] ?? "";
    for (const flag of given.filter((name) => name !== "--schedule"))
      expect(command, flag).toContain([flag, ...(values[flag] ?? [])].join(" "));
  }
});
