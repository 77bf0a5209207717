import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterEach, beforeEach } from "vitest";

/** The scripts, the shells that they promise to run under, and a folder for each test. */

const scripts = fileURLToPath(new URL("../../../ops-scripts/", import.meta.url));
export const SETUP_HOST = join(scripts, "setup_host.sh");
export const DEPLOY = join(scripts, "deploy.sh");

const found = new Map<string, string>();

/** Where a program is; looked up once. */
export function which(name: string): string | undefined {
  const path =
    found.get(name) ?? spawnSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).stdout.trim();
  found.set(name, path);
  return path || undefined;
}

export const isRoot = process.getuid?.() === 0;
const programOf = (name: string): string => realpathSync(which(name.replace(/ .*/, "")) ?? "");
/** The shells that the scripts promise to run under, as far as this machine has them: `sh` is often another one of them. */
export const shells = ["sh", "dash", "busybox ash"]
  .filter((name) => which(name.replace(/ .*/, "")))
  .filter((name, index, all) => all.findIndex((other) => programOf(other) === programOf(name)) === index);

export interface Outcome {
  code: number | undefined;
  out: string;
  err: string;
}

/** The folder of the running test. */
export let home: string;

/** Gives each test of a file a folder of its own, and removes it. */
export function useHome(): void {
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "hephaestus-ops-"));
    chmodSync(home, 0o755);
  });
  afterEach(() => rmSync(home, { recursive: true, force: true }));
}

export async function shell(
  argv: string[],
  options: { env?: Record<string, string>; input?: string; uid?: number; gid?: number } = {},
): Promise<Outcome> {
  const [program = "sh", ...args] = argv;
  const result = await execa(program, args, { reject: false, cwd: home, ...options });
  return { code: result.exitCode, out: String(result.stdout ?? ""), err: String(result.stderr ?? "") };
}
