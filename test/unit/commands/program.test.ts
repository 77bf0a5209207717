import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { buildProgram } from "../../../src/cli.js";
import { ExitCode } from "../../../src/errors.js";
import { folder, hephaestus, PROGRAM, ROOT, spawn, useFolder } from "../../support/commandLine.js";

/** What only a process of its own shows: the program that users start, its exit code, its streams and its signals. */

useFolder();

test("says its version and its commands", async () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
  expect(await spawn(PROGRAM, ["--version"])).toMatchObject({ exitCode: 0, stdout: version });
});

test("says where it came from", async () => {
  const { exitCode, stdout } = await spawn(PROGRAM, ["version", "--json"]);
  expect(exitCode).toBe(ExitCode.ok);
  const head = await execa("git", ["rev-parse", "HEAD"], { cwd: ROOT, reject: false });
  const facts = { kind: "source checkout", path: ROOT, node: process.versions.node };
  const { commit, ...said } = JSON.parse(stdout) as Record<string, string>;
  expect(said).toMatchObject(facts);
  expect(commit?.replace(/-dirty$/, "")).toBe(head.failed ? undefined : head.stdout);
  const lines = (await spawn(PROGRAM, ["version"])).stdout;
  expect(lines).toContain(`built from ${commit ? `commit ${commit}` : "an unknown commit"}\n`);
});

test("names every command on the first screen of its help", async () => {
  const screen = (await hephaestus("--help")).stdout.split("\n").slice(0, 24);
  const commands = buildProgram(() => undefined).commands.map((command) => command.name());
  expect(commands.length).toBeGreaterThan(25);
  for (const command of commands) expect(screen.join("\n")).toMatch(new RegExp(`[ ,]${command}(,|$)`, "m"));
  for (const line of screen) expect(line.length).toBeLessThan(80);
});

test("says without a command what to do next", async () => {
  const without = await hephaestus();
  expect(without).toMatchObject({ exitCode: ExitCode.usage, stdout: "" });
  expect(without.stderr).toContain("hephaestus init");
  writeFileSync(join(folder, "hephaestus.yaml"), "domain: forge.example\n");
  const { stderr } = await hephaestus();
  expect(stderr).toContain("hephaestus deploy");
  expect(stderr).not.toContain("hephaestus init");
});

test("ends with the exit code of its error, and keeps results apart from what it says", async () => {
  expect(await spawn(PROGRAM, ["render"])).toMatchObject({
    exitCode: ExitCode.config,
    stdout: "",
    stderr: expect.stringContaining("there is no config file"),
  });
});

test.each([
  ["fly"],
  ["render --fly"],
  ["deploy --timeout soon"],
  ["init --traefik-version 4"],
  ["deploy --quiet --verbose"],
  ["rotate-password --length 30 --password-stdin"],
  ["user add ci --password-stdin --length 30"],
  ["prune-tags --match {a,b}"],
  ["prune-tags --repository a//b"],
  ["audit --repository [ab]"],
])("refuses the command line %j in two lines", async (line) => {
  const { exitCode, stderr } = await hephaestus(...line.split(" "));
  expect(exitCode).toBe(ExitCode.usage);
  expect(stderr.split("\n").length).toBeLessThan(4);
});

test("reads a password from a pipe", async () => {
  writeFileSync(join(folder, "hephaestus.yaml"), "domain: forge.example\n");
  const args = ["deploy", "--password-stdin"];
  const { exitCode, stderr } = await spawn(PROGRAM, args, { input: "two\nlines\n" });
  expect(exitCode, stderr).toBe(ExitCode.credentials);
});

/** A docker that says once that it was asked, and then waits. */
function waitingDocker(): void {
  writeFileSync(join(folder, "docker"), '#!/bin/sh\n: > "$HOME/asked"\nexec sleep 60\n');
  chmodSync(join(folder, "docker"), 0o755);
  writeFileSync(join(folder, "hephaestus.yaml"), "domain: forge.example\n");
}
const withThatDocker = () => ({ env: { PATH: `${folder}:${process.env.PATH}` } });

test.each([
  ["SIGINT"],
  ["SIGTERM"],
  ["SIGHUP"],
] as const)("cleans up and says so after %s", async (signal) => {
  waitingDocker();
  const run = spawn(PROGRAM, ["history"], withThatDocker());
  await expect.poll(() => existsSync(join(folder, "asked")), { timeout: 30_000 }).toBe(true);
  run.kill(signal);
  const { exitCode, stderr } = await run;
  expect(exitCode).toBe(ExitCode.interrupted);
  expect(stderr).toContain("error: interrupted");
});

describe("where nobody reads on", () => {
  const bash = (line: string) => spawn("bash", ["-o", "pipefail", "-c", line], withThatDocker());

  test("a command ends as it would have", async () => {
    for (const args of ["schema", "--help"]) {
      // The reader has gone when the command begins.
      const { exitCode, stderr } = await bash(`{ sleep 0.2; '${PROGRAM}' ${args}; } | true`);
      expect([exitCode, stderr], args).toEqual([ExitCode.ok, ""]);
    }
  });

  test.skipIf(process.platform !== "linux")("a disk that is full is no success", async () => {
    expect((await bash(`'${PROGRAM}' schema >/dev/full`)).exitCode).toBe(ExitCode.interrupted);
  });

  test("a password that is shown once is not taken for shown", async () => {
    const output = JSON.stringify(join(ROOT, "src/terminal/output.ts"));
    writeFileSync(
      join(folder, "show.mts"),
      `import { delivered, printFile } from ${output};
       await new Promise((resolve) => setTimeout(resolve, 200));
       printFile("Anvil-7\\n");
       await delivered().then(() => console.error("shown"), ({ message }) => console.error(message));`,
    );
    const show = `${join(ROOT, "node_modules/.bin/tsx")} show.mts`;
    expect((await bash(`${show} | true`)).stderr).toContain("could not be shown");
    expect((await bash(`${show} | cat`)).stderr).toBe("shown");
    expect((await bash(`${show} >password`)).stderr).toBe("shown");
  });

  test("one that works on the stack is interrupted", async () => {
    waitingDocker();
    const { exitCode, stderr } = await bash(`{ sleep 0.2; '${PROGRAM}' history --verbose --json; } | true`);
    expect([exitCode, stderr]).toEqual([ExitCode.interrupted, expect.stringContaining("error: interrupted")]);
  });
});

describe.skipIf(process.platform !== "linux")("on a terminal", () => {
  // What docker exec -t and expect give has no size.
  test.each([
    ["of 80 columns", "stty cols 80 rows 24; "],
    ["without a size", "stty cols 0 rows 0; "],
  ])("%s, a command whose step fails ends", async (_name, size) => {
    writeFileSync(join(folder, "no-bundle"), "");
    const command = `${size}exec ${process.execPath} ${PROGRAM} bundle load no-bundle`;
    const { CI: _ignored, ...env } = process.env;
    const settings = { cwd: folder, env, extendEnv: false, reject: false, timeout: 60_000 } as const;
    const run = await execa("script", ["--quiet", "--return", "--command", command, "/dev/null"], settings);
    expect(run.timedOut).toBe(false);
    expect(run.exitCode).toBe(ExitCode.verify);
    expect(run.stdout).toContain("is no bundle");
    expect(run.stdout.length).toBeLessThan(5_000);
  });
});
