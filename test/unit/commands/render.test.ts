import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { ExitCode } from "../../../src/errors.js";
import { folder, hephaestus, read, useFolder } from "../../support/commandLine.js";

useFolder();
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
