import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { buildProgram } from "../../src/cli.js";
import { ExitCode } from "../../src/errors.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cli-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The built command (npm test builds it first), without a terminal and away from any Docker. */
async function hephaestus(...args: string[]) {
  const { DOMAIN_NAME: _ignored, ...env } = process.env;
  const { exitCode, stdout, stderr } = await execa(
    process.execPath,
    [join(ROOT, "bin/hephaestus.js"), ...args],
    {
      cwd: folder,
      env: { ...env, DOCKER_HOST: "unix:///nonexistent" },
      extendEnv: false,
      reject: false,
      input: "",
    },
  );
  return { exitCode, stdout, stderr };
}

const read = (path: string) => readFileSync(join(folder, path), "utf8");

test("says its version and its commands", async () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
  expect(await hephaestus("--version")).toMatchObject({ exitCode: 0, stdout: version });
  const help = await hephaestus("--help");
  for (const command of ["init", "render", "deploy", "schema"]) expect(help.stdout).toContain(command);
});

test.each([
  ["fly"],
  ["render --fly"],
  ["deploy --timeout soon"],
  ["init --traefik-version 4"],
  ["deploy --quiet --verbose"],
])("refuses the command line %j in two lines", async (line) => {
  const { exitCode, stderr } = await hephaestus(...line.split(" "));
  expect(exitCode).toBe(ExitCode.usage);
  expect(stderr.split("\n").length).toBeLessThan(4);
});

describe("init", () => {
  test("writes a config that renders, the schema, and a .gitignore entry once", async () => {
    writeFileSync(join(folder, ".gitignore"), "dist");
    const run = await hephaestus("init", "--yes", "--domain", "forge.example");
    expect(run.exitCode).toBe(0);
    // Where docker does not show how Traefik is started.
    expect(run.stdout).toMatch(/^Large layers need .*: --entryPoints\.websecure\..*readTimeout=15m$/m);
    expect(read("hephaestus.yaml")).toMatch(/^# yaml-language-server: \$schema=\.hephaestus\/schema\.json\n/);
    expect(JSON.parse(read(".hephaestus/schema.json"))).toMatchObject({ title: "hephaestus.yaml" });
    expect(read(".gitignore")).toMatch(/^dist\n.*\.hephaestus\/secrets\/\n/s);
    expect((await hephaestus("render")).exitCode).toBe(0);

    const before = read("hephaestus.yaml");
    expect((await hephaestus("init", "--yes", "--domain", "other.example")).exitCode).toBe(ExitCode.usage);
    expect(read("hephaestus.yaml")).toBe(before);
    expect((await hephaestus("init", "--yes", "--domain", "other.example", "--force")).exitCode).toBe(0);
    expect(read("hephaestus.yaml")).toContain("other.example");
    expect(read(".gitignore").match(/secrets/g)).toHaveLength(1);
  });

  test("without a terminal names the answers that are missing, and writes nothing", async () => {
    const { exitCode, stderr } = await hephaestus("init", "--domain", "forge.example", "--ui", "sso");
    expect(exitCode).toBe(ExitCode.usage);
    expect(stderr).toContain("--storage, --traefik-version, --traefik-network");
    expect(existsSync(join(folder, "hephaestus.yaml"))).toBe(false);
  });

  test("refuses answers that the schema would refuse", async () => {
    const { exitCode, stderr } = await hephaestus("init", "--yes", "--domain", "Forge!");
    expect(exitCode).toBe(ExitCode.config);
    expect(stderr).toContain("is not a host name");
    expect(existsSync(join(folder, "hephaestus.yaml"))).toBe(false);
  });

  test("writes a trial, and a workflow, when asked to", async () => {
    const trial = await hephaestus("init", "--profile", "local", "--ci", "github");
    expect(trial.exitCode).toBe(0);
    expect(trial.stdout).not.toContain("readTimeout");
    expect(read("hephaestus.yaml")).toContain("expose: ports");
    expect(read(".github/workflows/registry.yml")).toContain("ops-scripts/deploy.sh");
    const flags = [
      "--yes",
      "--domain",
      "forge.example",
      "--storage",
      "/srv/my images",
      "--ci",
      "github",
      "--force",
    ];
    expect((await hephaestus("init", ...flags)).exitCode).toBe(0);
    const { jobs } = parse(read(".github/workflows/registry.yml")) as {
      jobs: { deploy: { steps: Array<{ name?: string; run?: string }> } };
    };
    const step = jobs.deploy.steps.find(({ name }) => name === "Prepare the host");
    expect(step?.run).toContain(
      `"sh -s -- --path '/srv/my images' --owner 10001:10001" < ops-scripts/setup_host.sh`,
    );
    expect((await hephaestus("render")).exitCode).toBe(0);
  });

  test.each([
    ["github", [".github/workflows/registry.yml"]],
    ["gitlab", [".gitlab-ci.yml"]],
    ["forgejo", [".forgejo/workflows/registry.yml"]],
    ["gitea", [".gitea/workflows/registry.yml"]],
    ["woodpecker", [".woodpecker/registry.yml", ".woodpecker/maintain.yml"]],
  ])("writes workflows for %s that check, deploy and maintain", async (system, paths) => {
    const flags = ["--yes", "--domain", "forge.example", "--storage", "/srv/my images", "--ci", system];
    expect((await hephaestus("init", ...flags)).exitCode).toBe(0);
    for (const path of paths) expect(parse(read(path))).toBeTypeOf("object");
    const all = paths.map(read).join("\n");
    expect(all).toContain(`init --ci ${system};`);
    expect(all).toContain(`--path '/srv/my images' --owner 10001:10001" < ops-scripts/setup_host.sh`);
    expect(all).toContain('ops-scripts/deploy.sh "hephaestus" docker-compose.yml');
    expect(all).toContain("npx --no hephaestus render --check");
    expect(all).toContain("npx --no hephaestus maintain");
    // No script of a package runs, least of all where the key is; and an action is what it was.
    expect(all.match(/npm ci(?! --ignore-scripts)/g)).toBeNull();
    expect(all.match(/npm ci/g)).toHaveLength(2);
    expect(all.match(/uses: (?!\S+@[0-9a-f]{40} # v\d)/g)).toBeNull();
    const maintenance = read(paths.at(-1) as string).replace(/^.*maintain:\n/s, "");
    expect(maintenance.indexOf("npm ci")).toBeLessThan(maintenance.search(/id_ed25519|\*key/));
    expect((await hephaestus("init", ...flags)).exitCode).toBe(ExitCode.usage);
  });
});

describe("render", () => {
  beforeEach(() => writeFileSync(join(folder, "hephaestus.yaml"), "version: 1\ndomain: forge.example\n"));

  test("writes the stack, the same bytes every time, and checks it", async () => {
    expect((await hephaestus("render")).stdout).toContain("wrote docker-compose.yml");
    const first = read("docker-compose.yml");
    expect((await hephaestus("render")).stdout).toContain("unchanged docker-compose.yml");
    expect(read("docker-compose.yml")).toBe(first);
    expect(await hephaestus("render", "--check")).toMatchObject({ exitCode: 0, stdout: "" });

    writeFileSync(join(folder, "docker-compose.yml"), first.replace("registry:2.8.3", "registry:2.8.2"));
    const check = await hephaestus("render", "--check");
    expect(check.exitCode).toBe(ExitCode.stale);
    expect(check.stdout).toContain("-    image: registry:2.8.2\n+    image: registry:2.8.3");
    expect((await hephaestus("render", "--diff")).exitCode).toBe(0);
    expect(read("docker-compose.yml")).toContain("registry:2.8.2");
  });

  test("prints, or writes elsewhere, when asked to", async () => {
    const { stdout } = await hephaestus("render", "--stdout");
    expect(existsSync(join(folder, "docker-compose.yml"))).toBe(false);
    await hephaestus("render", "--output", "stack");
    expect(read("stack/docker-compose.yml")).toBe(`${stdout}\n`);
  });

  test("says nothing with --quiet where nothing is wrong, and still tells what is", async () => {
    expect(await hephaestus("render", "--quiet")).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    writeFileSync(join(folder, "docker-compose.yml"), "");
    const check = await hephaestus("render", "--quiet", "--check");
    expect(check.exitCode).toBe(ExitCode.stale);
    expect(check.stderr).toContain("stale: docker-compose.yml");
  });

  test("shows every mistake and writes nothing", async () => {
    writeFileSync(
      join(folder, "hephaestus.yaml"),
      "version: 3\ndomain: a b\nstak: x\nui: { acces: sso }\nports: { ui: 0 }\n",
    );
    const { exitCode, stderr } = await hephaestus("render");
    expect(exitCode).toBe(ExitCode.config);
    expect(stderr.match(/hephaestus\.yaml:\d+:\d+: error:/g)).toHaveLength(5);
    expect(stderr).toContain("5 mistakes in the config");
    expect(stderr).not.toContain("    at ");
    expect(existsSync(join(folder, "docker-compose.yml"))).toBe(false);
  });

  test("leaves what is there when a file cannot be written", async () => {
    await hephaestus("render");
    const before = read("docker-compose.yml");
    rmSync(join(folder, "gateway"), { recursive: true });
    writeFileSync(join(folder, "gateway"), "in the way");
    writeFileSync(join(folder, "hephaestus.yaml"), "domain: other.example\n");
    expect((await hephaestus("render")).exitCode).toBe(ExitCode.config);
    expect(read("docker-compose.yml")).toBe(before);
  });

  test("names a config that is not there, and how to write one", async () => {
    const { exitCode, stderr } = await hephaestus("render", "--config", "missing.yaml");
    expect(exitCode).toBe(ExitCode.config);
    expect(stderr).toMatch(/missing\.yaml: there is no config file\n {4}Write one with: hephaestus init/);
  });
});

test("gc prints units of systemd that run it, and needs no Docker for that", async () => {
  await hephaestus("init", "--yes", "--domain", "forge.example");
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
  await hephaestus("init", "--yes", "--domain", "forge.example");
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

describe("every failure is an event with --json:", () => {
  const all = (command: Command): Command[] => [command, ...command.commands.flatMap(all)];
  const pathOf = (command: Command): string[] =>
    command.parent ? [...pathOf(command.parent), command.name()] : [];
  const commands = all(buildProgram(() => undefined))
    .filter(({ options }) => options.some(({ long }) => long === "--json"))
    .map((command) => [
      ...pathOf(command),
      ...command.registeredArguments.filter(({ required }) => required).map(() => "Name"),
    ]);
  const last = (stdout: string) =>
    JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Record<string, unknown>;

  test.each(commands.map((path) => [path.join(" "), path] as const))("%s", async (_, path) => {
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

describe.skipIf(process.platform !== "linux")("on a terminal", () => {
  // What docker exec -t and expect give has no size.
  test.each([
    ["of 80 columns", "stty cols 80 rows 24; "],
    ["without a size", "stty cols 0 rows 0; "],
  ])(
    "%s, a command whose step fails ends",
    async (_name, size) => {
      writeFileSync(join(folder, "no-bundle"), "");
      const command = `${size}exec ${process.execPath} ${join(ROOT, "bin/hephaestus.js")} bundle load no-bundle`;
      const { CI: _ignored, ...env } = process.env;
      const settings = { cwd: folder, env, extendEnv: false, reject: false, timeout: 20_000 } as const;
      const run = await execa("script", ["--quiet", "--return", "--command", command, "/dev/null"], settings);
      expect(run.timedOut).toBe(false);
      expect(run.exitCode).toBe(ExitCode.verify);
      expect(run.stdout).toContain("is no bundle");
      expect(run.stdout.length).toBeLessThan(5_000);
    },
    30_000,
  );
});

describe("each command's help has an example that runs:", () => {
  const all = (command: Command): Command[] => [command, ...command.commands.flatMap(all)];
  const program = buildProgram(() => undefined);
  const pathOf = (command: Command): string[] =>
    command.parent ? [...pathOf(command.parent), command.name()] : [];
  const commands = all(program)
    .map(pathOf)
    .filter((path) => path.length > 0);

  test.each(commands.map((path) => [path.join(" "), path] as const))("%s", async (name, path) => {
    const help = await hephaestus(...path, "--help");
    const example = /^Example:\n {2}(.+)$/m.exec(help.stdout)?.[1] ?? "";
    expect(example).toContain("hephaestus ");
    if (name !== "init") await hephaestus("init", "--yes", "--domain", "example.com");
    if (name !== "init") await hephaestus("render");
    writeFileSync(join(folder, "ci-password"), "Anvil-and-hammer-7");
    symlinkSync(join(ROOT, "bin/hephaestus.js"), join(folder, "hephaestus"));
    const run = await execa("bash", ["-c", example], {
      cwd: folder,
      env: {
        PATH: `${folder}:${process.env.PATH}`,
        DOCKER_HOST: "unix:///nonexistent",
        REGISTRY_RAW_PASSWORD: "Anvil-and-hammer-7",
      },
      extendEnv: false,
      reject: false,
      input: "",
      all: true,
    });
    // Where there is no Docker, and no registry of that name, most say so; none is taken for a wrong command line.
    expect([ExitCode.ok, ExitCode.preflight, ExitCode.verify], run.all).toContain(run.exitCode);
  });
});
