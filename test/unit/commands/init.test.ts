import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { ExitCode } from "../../../src/errors.js";
import { VERSION } from "../../../src/render/published.js";
import { folder, hephaestus, read, useFolder } from "../../support/commandLine.js";

useFolder();

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
    expect(read("docker-compose.yml")).toContain("image: registry:3.");

    const before = read("hephaestus.yaml");
    expect((await hephaestus("init", "--yes", "--domain", "other.example")).exitCode).toBe(ExitCode.usage);
    expect(read("hephaestus.yaml")).toBe(before);
    expect((await hephaestus("init", "--yes", "--domain", "other.example", "--force")).exitCode).toBe(0);
    expect(read("hephaestus.yaml")).toContain("other.example");
    expect(read(".gitignore").match(/secrets/g)).toHaveLength(1);
  });

  test.each([
    ["traefik", ["--yes", "--domain", "forge.example"]],
    ["local", []],
  ])("writes a registry of line 2 by choice, with the profile %s", async (profile, flags) => {
    const line = ["--profile", profile, "--registry-version", "2"];
    expect((await hephaestus("init", ...line, ...flags)).exitCode).toBe(0);
    expect(read("hephaestus.yaml")).toContain("image: registry:2.8.3\n");
  });

  test("without a terminal names the answers that are missing, and writes nothing", async () => {
    const { exitCode, stderr } = await hephaestus("init", "--domain", "forge.example", "--ui", "sso");
    expect(exitCode).toBe(ExitCode.usage);
    expect(stderr).toContain("--storage, --traefik-version, --traefik-network");
    expect(existsSync(join(folder, "hephaestus.yaml"))).toBe(false);
  });

  test("names the answers that a trial has no use for, and writes nothing", async () => {
    const flags = ["--domain", "forge.example", "--ui", "none"];
    const { exitCode, stderr } = await hephaestus("init", "--profile", "local", ...flags);
    expect(exitCode).toBe(ExitCode.usage);
    expect(stderr).toContain("--domain, --ui");
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
    expect(all).toMatch(/\bhephaestus render --check/);
    expect(all).toMatch(/\bhephaestus maintain/);
    // It has the version that wrote this, and nothing is installed that could run its scripts; an action is what it was.
    const usesFile = all.includes('"${{ vars.HEPHAESTUS_RELEASE }}/hephaestus-linux-x64"');
    expect(usesFile).not.toBe(all.includes(`registry.forge.example/hephaestus:${VERSION}`));
    expect(all).not.toMatch(/\bnpx\b|npm (?!run program)|\bIMAGE\b|RELEASE\/|github\.com|ghcr\.io/);
    expect(all.match(/uses: (?!\S+@[0-9a-f]{40} # v\d)/g)).toBeNull();
    const maintenance = read(paths.at(-1) as string).replace(/^.*maintain:\n/s, "");
    expect(maintenance.search(/hephaestus-linux-x64|image:|\.hephaestus/)).toBeLessThan(
      maintenance.search(/id_ed25519|\*key/),
    );
    expect((await hephaestus("init", ...flags)).exitCode).toBe(ExitCode.usage);
  });
});
