import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CHECKOUT, copyCheckout } from "../support/checkout.js";
import { type NpmRegistry, serveInstalledPackages } from "../support/npmRegistry.js";

/** The program as a user has it: packed and installed as the README says, and run from another folder. */

let folder: string;
let registry: NpmRegistry;
/** Nothing of this process reaches npm or the program, the settings of `npm test` least of all. */
let env: Record<string, string>;

const { files, version } = JSON.parse(readFileSync(`${CHECKOUT}package.json`, "utf8")) as {
  files: string[];
  version: string;
};
const lockedPackages = Object.entries(
  (
    JSON.parse(readFileSync(`${CHECKOUT}package-lock.json`, "utf8")) as {
      packages: Record<string, { dev?: boolean }>;
    }
  ).packages,
);
const isDevelopment = (name: string) =>
  lockedPackages.some(([path, { dev }]) => path === `node_modules/${name}` && dev === true);

const inUse = (command: string, ...args: string[]) =>
  execa(command, args, {
    cwd: `${folder}/use`,
    env,
    extendEnv: false,
    reject: false,
    input: "",
  });
const installed = (path: string) => `${folder}/prefix/lib/node_modules/hephaestus/${path}`;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "install-"));
  mkdirSync(`${folder}/use`);
  registry = await serveInstalledPackages(CHECKOUT);
  env = {
    PATH: `${folder}/prefix/bin:${process.env.PATH}`,
    HOME: folder,
    DOCKER_HOST: "unix:///nonexistent",
    npm_config_prefix: `${folder}/prefix`,
    npm_config_registry: registry.url,
    npm_config_cache: `${folder}/cache`,
    npm_config_update_notifier: "false",
  };
  await copyCheckout(`${folder}/checkout`);
  const readme = readFileSync(`${CHECKOUT}README.md`, "utf8");
  const command = /^\$ npm ci && (npm pack && npm install --global .*)$/m.exec(readme)?.[1] ?? "";
  await execa("sh", ["-c", command], { cwd: `${folder}/checkout`, env, extendEnv: false });
}, 300_000);

afterAll(() => {
  registry?.close();
  rmSync(folder, { recursive: true, force: true });
});

test("its package has what its command needs, and no more", () => {
  expect(existsSync(`${folder}/checkout/hephaestus-${version}.tgz`)).toBe(true);
  const always = ["LICENSE", "README.md", "node_modules", "package.json"];
  const packed = files.filter((name) => !name.startsWith("!"));
  expect(readdirSync(installed(".")).sort()).toEqual([...packed, ...always].sort());
});

test("it is installed with its own packages, and none of development", async () => {
  expect(registry.fetched.size).toBeGreaterThan(10);
  expect([...registry.fetched].filter(isDevelopment)).toEqual([]);
  // Each part of the program loads with these alone.
  const load = `import { readdirSync } from "node:fs";
for (const name of readdirSync(${JSON.stringify(installed("dist"))}, { recursive: true }))
  if (name.endsWith(".js")) await import(${JSON.stringify(`${installed("dist")}/`)} + name);`;
  const { exitCode, stderr } = await inUse("node", "--input-type=module", "--eval", load);
  expect(exitCode, stderr).toBe(0);
});

test("it writes and renders a stack in another folder", async () => {
  expect((await inUse("hephaestus", "--version")).stdout).toBe(version);
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
