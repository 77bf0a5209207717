/**
 * The stack's gateway, registry and reader as plain processes of this machine, with what the product renders: no root and no
 * Docker. Only addresses and places of files differ from a stack in a Swarm.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, rmSync } from "node:fs";
import { mkdir, mkdtemp, readFile, realpath, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parse } from "yaml";
import { loadConfig } from "../../src/config/load.js";
import { formatHtpasswd, parseHtpasswd } from "../../src/credentials/htpasswd.js";
import { httpSecretContent, machineAccounts } from "../../src/credentials/machineAccounts.js";
import { Secret } from "../../src/credentials/secret.js";
import { loadTemplates } from "../../src/render/templates.js";
import { machinesOf } from "../../src/secrets/generations.js";
import { COMPOSE_FILE, renderFiles } from "../../src/stack.js";
import { ask, type Endpoint } from "../e2e/attacks/raw.js";
import { CACHE } from "../support/checkout.js";
import { goProgram } from "../support/goPrograms.js";
import { fetchPrograms } from "./programs.js";

const STACK = "plain";
/** Where clients think that the gateway is. Each one listens elsewhere. */
const PORT = 5000;
export const AUTHORITY = `localhost:${PORT}`;
const STORAGE = "/var/lib/registry";
/** Of this process alone, so that nobody else takes a port between its choice and its use. Linux answers at all of 127.0.0.0/8. */
export const HOST = `127.${64 + (process.pid >> 16)}.${(process.pid >> 8) & 255}.${process.pid & 255}`;
/** The registry of line 3, which the end-to-end tests build. */
export const REGISTRY_3 = goProgram(CACHE, "registry");
/** How long a program may take until it serves. */
const START_MS = 40_000;

/** Some ports of HOST that nobody listens on. */
export async function freePorts(count: number): Promise<number[]> {
  const servers: Server[] = Array.from({ length: count }, () => createServer().listen(0, HOST));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}

const stacks: PlainStack[] = [];

/** However this process ends, nothing that it started goes on. Vitest ends it with SIGTERM, a person with Ctrl-C. */
function killAll(): void {
  for (const stack of stacks) stack.kill();
}
process.once("exit", killAll);
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const)
  process.once(signal, () => {
    killAll();
    process.kill(process.pid, signal);
  });

export class PlainStack {
  private readonly processes: ChildProcess[] = [];

  private constructor(
    readonly folder: string,
    private readonly programs: string,
    /** The rendered files, by path. */
    readonly files: ReadonlyMap<string, string>,
    readonly registry: Endpoint,
    readonly reader: Endpoint,
    /** What the gateway sends to the registry for a user who writes. */
    readonly machineAuthorization: string,
    /** What the library sends to the gateway; empty if it has no account. */
    readonly libraryAuthorization: string,
  ) {}

  /** Where programs are. The config says which registry. */
  private get folders(): string {
    const isNew = this.file(COMPOSE_FILE).includes("image: registry:3");
    return `${isNew ? `${dirname(REGISTRY_3)}:` : ""}${this.programs}/bin`;
  }

  get storage(): string {
    return `${this.folder}/data`;
  }

  /**
   * Starts a registry, and a reader if the stack has one.
   *
   * @param config of hephaestus.yaml, beside what makes the stack work on this machine
   * @param htpasswd the users
   */
  static async start(config: Record<string, unknown>, htpasswd: string): Promise<PlainStack> {
    const programs = await fetchPrograms();
    const [registryPort = 0, readerPort = 0] = await freePorts(2);
    const whole = {
      version: 1,
      stack: STACK,
      domain: "localhost",
      expose: "ports",
      ports: { registry: PORT, ui: PORT + 1 },
      ...config,
    };
    const loaded = loadConfig(JSON.stringify(whole), "hephaestus.yaml", {});
    const rendered = renderFiles(loaded.config, loadTemplates(), "hephaestus.yaml");
    const accounts = machineAccounts(1, machinesOf(loaded.config));
    const secretOf = (wanted: "gateway" | "library") =>
      accounts.find(({ kind }) => kind === wanted)?.content.reveal() ?? "";
    const gatewaySecret = secretOf("gateway");
    const endpoint = (name: string, at: number): Endpoint => ({
      name,
      to: { host: HOST, port: at },
      authority: `localhost:${at}`,
    });
    const people = parseHtpasswd(new Secret(htpasswd), "htpasswd");
    const folder = await realpath(await mkdtemp(`${tmpdir()}/plain-`));
    const stack = new PlainStack(
      folder,
      programs,
      new Map(rendered.map(({ path, text }) => [path, text])),
      endpoint("registry", registryPort),
      endpoint("reader", readerPort),
      /"(.*)"/.exec(gatewaySecret)?.[1] ?? "",
      /=(Basic .*)/.exec(secretOf("library"))?.[1] ?? "",
    );
    stacks.push(stack);
    try {
      await mkdir(stack.storage);
      await mkdir(`${folder}/secrets`, { mode: 0o700 });
      await Promise.all([
        writeFile(`${folder}/secrets/gateway`, gatewaySecret),
        writeFile(
          `${folder}/secrets/htpasswd`,
          formatHtpasswd([...people, ...accounts.map(({ entry }) => entry)]).reveal(),
        ),
        writeFile(`${folder}/secrets/http-secret`, httpSecretContent().reveal()),
      ]);
      await Promise.all([
        stack.serve("registry", registryPort),
        stack.files.has("registry/reader.yml") && stack.serve("reader", readerPort),
      ]);
    } catch (error) {
      await stack.stop();
      throw error;
    }
    return stack;
  }

  /** A rendered file. */
  file(path: string): string {
    const text = this.files.get(path);
    if (text === undefined) throw new Error(`The stack has no file ${path}.`);
    return text;
  }

  /** The places of a container, as places of this machine. */
  moved(text: string, home: string): string {
    const addresses = { registry: this.registry, reader: this.reader };
    return text
      .replaceAll(/(?:tasks\.)?plain_(registry|reader):5000/g, (_, name: keyof typeof addresses) =>
        addresses[name].authority.replace("localhost", HOST),
      )
      .replaceAll(/(?<![\w.])\/(?:tmp|dev\/shm|var\/tmp)\//g, `${home}/`)
      .replaceAll("/run/secrets/", `${this.folder}/secrets/`)
      .replaceAll(STORAGE, this.storage);
  }

  /** Starts one of the two services of the registry, by the command of the compose file. */
  private async serve(service: "registry" | "reader", port: number): Promise<void> {
    const home = `${this.folder}/${service}`;
    await mkdir(home);
    const path = service === "registry" ? "registry/config.yml" : "registry/reader.yml";
    const text = this.moved(this.file(path), home).replace("addr: :5000", `addr: ${HOST}:${port}`);
    await writeFile(`${home}/rendered.yml`, text);
    const { services } = parse(this.file(COMPOSE_FILE)) as {
      services: Record<string, { entrypoint: string[] }>;
    };
    const command = services[service]?.entrypoint.map((word) =>
      this.moved(word.replaceAll("$$", "$"), home).replaceAll(
        /\/etc\/(?:docker\/registry|distribution)\/config\.yml/g,
        `${home}/rendered.yml`,
      ),
    );
    await this.run(command ?? [], `${home}/log`, service === "registry" ? this.registry : this.reader, "/");
  }

  /** Starts an nginx, and waits until it serves. */
  async serveNginx(config: string, home: string, endpoint: Endpoint): Promise<void> {
    await mkdir(`${home}/tmp`, { recursive: true });
    await writeFile(`${home}/nginx.conf`, config);
    const globals = `daemon off;${process.getuid?.() === 0 ? " user root;" : ""}`;
    const prefix = `${this.programs}/nginx/usr/lib/nginx/`;
    const args = ["-p", prefix, "-e", `${home}/error.log`, "-c", `${home}/nginx.conf`, "-g", globals];
    await this.run(["nginx", ...args], `${home}/log`, endpoint, "/healthz");
  }

  /** Starts a program, and waits until it serves: a mutation that does not even start would count as noticed. */
  async run([program = "", ...args]: string[], log: string, endpoint: Endpoint, path: string): Promise<void> {
    const file = openSync(log, "w");
    // A group of its own, so that what it starts ends with it.
    const child = spawn(program, args, {
      // The registry has little memory to collect and does it often: a quarter of its time. Source: pkg.go.dev/runtime.
      env: { ...process.env, GOGC: process.env.GOGC ?? "800", PATH: `${this.folders}:${process.env.PATH}` },
      stdio: ["ignore", file, file],
      detached: true,
    });
    closeSync(file);
    this.processes.push(child);
    let fault: string | undefined;
    child.once("error", ({ message }) => (fault = message));
    child.once("exit", (code, signal) => (fault = `it ended with ${code ?? signal}`));
    for (const deadline = performance.now() + START_MS; fault === undefined; await sleep(50)) {
      const { status } = await ask(endpoint, "GET", path);
      if (fault === undefined && (status === 200 || status === 404)) return;
      if (performance.now() > deadline) fault = "it does not answer";
    }
    throw new Error(`${endpoint.name}: ${fault}: ${await readFile(log, "utf8").catch(() => "no log")}`);
  }

  /** The processes that serve, each with those that it started as its group. */
  get groups(): number[] {
    return this.running().map(({ pid = 0 }) => pid);
  }

  private running(): ChildProcess[] {
    return this.processes.filter(
      ({ pid, exitCode, signalCode }) => pid !== undefined && exitCode === null && signalCode === null,
    );
  }

  async stop(): Promise<void> {
    const running = this.running();
    const ended = running.map((child) => once(child, "exit"));
    for (const child of running) child.kill("SIGTERM");
    await Promise.race([Promise.all(ended), sleep(10_000, undefined, { ref: false })]);
    this.kill();
  }

  /** At once. */
  kill(): void {
    for (const { pid = 0 } of this.running()) process.kill(-pid, "SIGKILL");
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
