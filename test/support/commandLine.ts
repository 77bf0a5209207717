/** The command line for tests: in this process, which takes milliseconds, or as the program that users start. */
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterEach, beforeEach } from "vitest";
import { main } from "../../src/cli.js";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** The program that users start. It runs what was built, which test/unit/globalSetup.ts does before the tests. */
export const PROGRAM = join(ROOT, "bin/hephaestus.js");

/** The folder of the running test, in which the commands run. */
export let folder: string;

/** Gives each test of a file a folder of its own, and removes it. */
export function useFolder(): void {
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "commands-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));
}

export const read = (path: string): string => readFileSync(join(folder, path), "utf8");

export interface Outcome {
  exitCode: number;
  stdout: string;
  stderr: string;
}

interface Surroundings {
  env?: Readonly<Record<string, string>>;
  /** What stands on standard input. */
  input?: string;
}

/** What a command finds in its environment: no Docker, and nothing of the operator. */
const environment = (extra: Surroundings["env"]) => ({
  PATH: `${ROOT}test/support/noEngine:${process.env.PATH}`,
  HOME: folder,
  DOCKER_HOST: "unix:///nonexistent",
  ...extra,
});

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Runs a command in this process: the same main(), with a folder, an environment, streams and an argv of its own. */
export async function hephaestusWith({ env, input = "" }: Surroundings, ...args: string[]): Promise<Outcome> {
  const restore: Array<() => void> = [];
  const replace = <T extends object, K extends keyof T>(object: T, key: K, value: T[K]) => {
    const before = Object.getOwnPropertyDescriptor(object, key);
    Object.defineProperty(object, key, { value, configurable: true, writable: true });
    restore.push(() => {
      if (before) Object.defineProperty(object, key, before);
      else delete object[key];
    });
  };
  const outputs = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    replace(process[name], "write", (text) => {
      outputs[name] += String(text);
      return true;
    });
    replace(process[name], "isTTY", false);
  }
  replace(process, "stdin", Object.assign(Readable.from([input]), { isTTY: false }) as never);
  replace(process, "env", environment(env));
  replace(process, "argv", [process.execPath, PROGRAM, ...args]);
  const listeners = SIGNALS.map((signal) => [signal, process.listeners(signal)] as const);
  const before = process.cwd();
  process.chdir(folder);
  try {
    const exitCode = await main(process.argv);
    const [stdout, stderr] = [outputs.stdout, outputs.stderr].map((text) => text.replace(/\n$/, ""));
    return { exitCode, stdout: stdout ?? "", stderr: stderr ?? "" };
  } finally {
    process.chdir(before);
    for (const [signal, known] of listeners)
      for (const listener of process.listeners(signal))
        if (!known.includes(listener)) process.removeListener(signal, listener);
    for (const undo of restore.reverse()) undo();
  }
}

export const hephaestus = (...args: string[]): Promise<Outcome> => hephaestusWith({}, ...args);

/** Runs a program, such as bin/hephaestus.js or a shell, as a process of its own in the folder of the test. */
export const spawn = (program: string, args: readonly string[], { env, input = "" }: Surroundings = {}) =>
  execa(program, args, {
    cwd: folder,
    env: environment(env),
    extendEnv: false,
    reject: false,
    input,
    timeout: 60_000,
  });
