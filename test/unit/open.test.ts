import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ExitCode } from "../../src/errors.js";
import { hasDisplay, openCommand } from "../../src/host/browser.js";

const CLI = fileURLToPath(new URL("../../bin/hephaestus.js", import.meta.url));
const CONFIG = "domain: forge.example\nregistry: { delete: true }\nui: { admin: { enabled: true } }\n";
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "open-"));
  writeFileSync(join(folder, "hephaestus.yaml"), CONFIG);
  // It stands for the desktop: notes what it was asked to open, and what it could see.
  const opener = `#!/bin/sh\n{ echo "$@"; env; } > '${folder}/opened.part' && mv '${folder}/opened.part' '${folder}/opened'\n`;
  writeFileSync(join(folder, "xdg-open"), opener);
  chmodSync(join(folder, "xdg-open"), 0o755);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Settings {
  terminal: boolean;
  env?: Record<string, string>;
}

/** The built command, on a terminal (that `script` makes) or without. */
async function open(args: string, { terminal, env = {} }: Settings) {
  const line = `'${process.execPath}' '${CLI}' open ${args}`;
  const [command, words] = terminal ? ["script", ["-qec", line, "/dev/null"]] : ["sh", ["-c", line]];
  const { exitCode, stdout, stderr } = await execa(command as string, words as string[], {
    cwd: folder,
    env: { PATH: `${folder}:${process.env.PATH}`, ...env },
    extendEnv: false,
    reject: false,
    stdin: "ignore",
  });
  return { exitCode, stdout: stdout.trim(), stderr };
}

const opened = () =>
  existsSync(join(folder, "opened")) ? readFileSync(join(folder, "opened"), "utf8") : undefined;

describe("on a terminal with a display", () => {
  test.each([
    ["", "https://registry-ui.forge.example"],
    ["registry", "https://registry.forge.example"],
    ["library", "https://registry-ui.forge.example"],
    ["admin", "https://registry-admin.forge.example"],
  ])("open %s opens the right address in the browser, which sees no password", async (place, url) => {
    const env = { DISPLAY: ":0", REGISTRY_RAW_PASSWORD: "Anvil-and-hammer-7" };
    const run = await open(place, { terminal: true, env });
    expect(run).toMatchObject({ exitCode: ExitCode.ok, stdout: url });
    expect(opened()?.split("\n")[0]).toBe(url);
    expect(opened()).not.toContain("Anvil-and-hammer-7");
  });

  test("--print only prints", async () => {
    const run = await open("--print", { terminal: true, env: { DISPLAY: ":0" } });
    expect(run).toMatchObject({ exitCode: ExitCode.ok, stdout: "https://registry-ui.forge.example" });
    expect(opened()).toBeUndefined();
  });

  test("a browser that does not open is no failure: the address stands there", async () => {
    writeFileSync(join(folder, "xdg-open"), "#!/bin/sh\nexit 3\n");
    const run = await open("", { terminal: true, env: { DISPLAY: ":0" } });
    expect(run.exitCode).toBe(ExitCode.ok);
    expect(run.stdout).toMatch(/^https:\/\/registry-ui\.forge\.example\s+There is no browser/);
  });
});

test("a browser that stays in the foreground is not waited for, and not ended", async () => {
  writeFileSync(join(folder, "xdg-open"), `#!/bin/sh\nsleep 5\necho "$1" > '${folder}/opened'\n`);
  const run = await open("", { terminal: true, env: { DISPLAY: ":0" } });
  expect(run).toMatchObject({ exitCode: ExitCode.ok, stdout: "https://registry-ui.forge.example" });
  expect(opened()).toBeUndefined();
  await expect.poll(opened, { timeout: 10_000 }).toContain("https://registry-ui");
});

test("without a display, or without a terminal, it only prints", async () => {
  await open("", { terminal: true });
  await open("", { terminal: false, env: { DISPLAY: ":0" } });
  await open("", { terminal: true, env: { DISPLAY: ":0", CI: "true" } });
  expect(opened()).toBeUndefined();
});

test("what the config does not have is named with how to get it", async () => {
  writeFileSync(join(folder, "hephaestus.yaml"), "domain: forge.example\nui: { enabled: false }\n");
  for (const [place, remedy] of [
    ["library", "Set ui.enabled: true."],
    ["admin", "Set ui.admin.enabled: true."],
  ] as const) {
    const run = await open(place, { terminal: false });
    expect(run.exitCode).toBe(ExitCode.config);
    expect(run.stderr).toContain(remedy);
  }
});

test("each system has its own opener, and a display of its own kind", () => {
  expect(openCommand("darwin", "u")).toEqual(["open", ["u"]]);
  expect(openCommand("win32", "u")).toEqual(["rundll32", ["url.dll,FileProtocolHandler", "u"]]);
  expect(openCommand("linux", "u")).toEqual(["xdg-open", ["u"]]);
  expect(hasDisplay("linux", {})).toBe(false);
  expect(hasDisplay("linux", { WAYLAND_DISPLAY: "wayland-0" })).toBe(true);
  expect(hasDisplay("darwin", {})).toBe(true);
  expect(hasDisplay("darwin", { SSH_CONNECTION: "a b" })).toBe(false);
});
