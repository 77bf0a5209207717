import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { expect } from "vitest";

export const CLI = fileURLToPath(new URL("../../bin/hephaestus.js", import.meta.url));
export const OPS_SCRIPTS = fileURLToPath(new URL("../../ops-scripts/", import.meta.url));

/** Where scripts/coverage.ts has Node write what a command ran. */
const { HEPHAESTUS_COVERAGE } = process.env;
const COVERAGE = HEPHAESTUS_COVERAGE ? { NODE_V8_COVERAGE: HEPHAESTUS_COVERAGE } : {};

export interface Run {
  exitCode: number;
  stdout: string;
  stderr: string;
  /** Both, in the order of writing. */
  all: string;
}

export interface RunSettings {
  env?: Record<string, string>;
  input?: string;
  /** Called with the process's id when it has started. */
  onStart?: (pid: number) => void;
  /** Called with each piece of output. */
  onOutput?: (text: string) => void;
  killSignalAfter?: { signal: NodeJS.Signals; when: RegExp };
}

/** @throws with all that it wrote, unless it ended well */
export function expectOk(run: { exitCode?: number | undefined; all?: string | undefined }): void {
  expect(run.exitCode, run.all).toBe(0);
}

/** A folder with a registry stack of its own, and everything that a test does with it. */
export class Workspace {
  private constructor(
    readonly folder: string,
    readonly stack: string,
    readonly registryPort: number,
    readonly uiPort: number,
  ) {}

  static async create(stack: string, registryPort: number, uiPort: number): Promise<Workspace> {
    return new Workspace(await mkdtemp(`${tmpdir()}/ws-`), stack, registryPort, uiPort);
  }

  get registry(): string {
    return `localhost:${this.registryPort}`;
  }

  get registryUrl(): string {
    return `http://${this.registry}`;
  }

  get uiUrl(): string {
    return `http://localhost:${this.uiPort}`;
  }

  /** The built command, in the workspace's folder, as a user would run it. */
  async hephaestus(args: readonly string[], settings: RunSettings = {}): Promise<Run> {
    return this.run(process.execPath, [CLI, ...args], settings);
  }

  async run(command: string, args: readonly string[], settings: RunSettings = {}): Promise<Run> {
    const child = execa(command, args, {
      cwd: this.folder,
      env: { CI: "true", ...COVERAGE, ...settings.env },
      input: settings.input ?? "",
      reject: false,
      all: true,
    });
    if (child.pid !== undefined) settings.onStart?.(child.pid);
    child.all.on("data", (chunk: Buffer) => settings.onOutput?.(String(chunk)));
    const kill = settings.killSignalAfter;
    if (kill) {
      let killed = false;
      child.all.on("data", (chunk: Buffer) => {
        if (killed || !kill.when.test(String(chunk))) return;
        killed = true;
        child.kill(kill.signal);
      });
    }
    const { exitCode, stdout, stderr, all } = await child;
    return { exitCode: exitCode ?? 255, stdout, stderr, all };
  }

  /** What another machine has of this stack: the files that are committed. It goes with this workspace. */
  async secondCheckout(): Promise<Workspace> {
    const files = (await readdir(this.folder)).filter((file) => !/^(?:checkout|data)/.test(file));
    const folder = await mkdtemp(`${this.folder}/checkout-`);
    for (const file of files) {
      await cp(`${this.folder}/${file}`, `${folder}/${file}`, { recursive: true });
    }
    return new Workspace(folder, this.stack, this.registryPort, this.uiPort);
  }

  docker(...args: string[]): Promise<Run> {
    return this.run("docker", args);
  }

  /** Removes the stack and what hephaestus made in the Swarm: what it was before the first deploy, but for the folder. */
  async clear(): Promise<void> {
    const label = ["--filter", `label=com.docker.stack.namespace=${this.stack}`];
    await this.docker("stack", "rm", this.stack);
    for (let tries = 0; ; tries++) {
      const { stdout: tasks } = await this.docker("ps", "-q", ...label);
      const { stdout: networks } = tasks
        ? { stdout: "?" }
        : await this.docker("network", "ls", "-q", ...label);
      if (networks === "") break;
      // Its ports are those of the next stack.
      if (tries === 120)
        throw new Error(`${this.stack} is still there: networks ${networks}, tasks ${tasks}`);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    for (const type of ["secret", "config"]) {
      const { stdout } = await this.docker(type, "ls", "--format", "{{.Name}}");
      const own = stdout.split("\n").filter((name) => name.startsWith(`${this.stack}_`));
      if (own.length > 0) await this.docker(type, "rm", ...own);
    }
  }

  /**
   * Removes the stack, what hephaestus made in the Swarm, and the folder.
   *
   * @param networks more networks to remove, once nothing is on them
   */
  async destroy(networks: readonly string[] = []): Promise<void> {
    await this.clear();
    if (networks.length > 0) await this.docker("network", "rm", ...networks);
    await rm(this.folder, { recursive: true, force: true });
  }
}
