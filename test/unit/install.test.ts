import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CHECKOUT, copyCheckout } from "../support/checkout.js";

/** The program as a user has it: packed and installed as docs/install.md says, and run from another folder. */

let folder: string;
/** Nothing of this process reaches npm or the program, the settings of `npm test` least of all. */
let env: Record<string, string>;

const { name, files, version } = JSON.parse(readFileSync(`${CHECKOUT}package.json`, "utf8")) as {
  name: string;
  files: string[];
  version: string;
};

const inUse = (command: string, ...args: string[]) =>
  execa(command, args, {
    cwd: `${folder}/use`,
    env,
    extendEnv: false,
    reject: false,
    input: "",
  });
const installed = (path: string) => `${folder}/prefix/lib/node_modules/${name}/${path}`;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "install-"));
  mkdirSync(`${folder}/use`);
  env = {
    PATH: `${folder}/prefix/bin:${process.env.PATH}`,
    HOME: folder,
    DOCKER_HOST: "unix:///nonexistent",
    npm_config_prefix: `${folder}/prefix`,
    // The program needs no other package, so nothing is fetched.
    npm_config_registry: "http://127.0.0.1:9",
    npm_config_fetch_retries: "0",
    npm_config_cache: `${folder}/cache`,
    npm_config_update_notifier: "false",
  };
  await copyCheckout(`${folder}/checkout`);
  const page = readFileSync(`${CHECKOUT}docs/install.md`, "utf8");
  const command = /^\$ npm ci && (npm pack && npm install --global .*)$/m.exec(page)?.[1] ?? "";
  await execa("sh", ["-c", command], { cwd: `${folder}/checkout`, env, extendEnv: false });
}, 300_000);

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

test("its package has what its command needs, and no more", () => {
  expect(existsSync(`${folder}/checkout/hephaestus-${version}.tgz`)).toBe(true);
  const always = ["LICENSE", "README.md", "package.json"];
  expect(readdirSync(installed(".")).sort()).toEqual([...files, ...always].sort());
  expect(readdirSync(installed("dist")).sort()).toEqual(["hephaestus.js", "licenses.txt"]);
});

test("it writes and renders a stack in another folder", async () => {
  expect((await inUse("hephaestus", "--version")).stdout).toBe(version);
  const { kind, path } = JSON.parse((await inUse("hephaestus", "version", "--json")).stdout);
  expect({ kind, path }).toEqual({ kind: "npm package", path: installed("") });
  for (const args of [["init", "--yes", "--domain", "example.com"], ["render"], ["render", "--check"]]) {
    const { exitCode, stderr } = await inUse("hephaestus", ...args);
    expect(exitCode, stderr).toBe(0);
  }
  expect(readFileSync(`${folder}/use/docker-compose.yml`, "utf8")).toContain("registry.example.com");
});

test("bash completes it", async () => {
  const script = `source <(hephaestus completion bash)
COMP_WORDS=(hephaestus rotate); COMP_CWORD=1; $(complete -p hephaestus | sed "s/.*-F \\([^ ]*\\) .*/\\1/")
printf "%s" "\${COMPREPLY[@]}"`;
  expect((await inUse("bash", "--norc", "-c", script)).stdout).toBe("rotate-password");
});
