import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { ExitCode } from "../../../src/errors.js";
import { type Changes, CREDENTIALS, DEPLOY, PASSWORD, USER, writeConfig } from "../stack.js";
import type { Swarm } from "../swarm.js";
import { Workspace } from "../workspace.js";
import { type Image, pushImage } from "./image.js";
import { basic, type Endpoint } from "./raw.js";
import type { RelayPlan } from "./relay.js";

export type Service = "registry" | "reader" | "gateway" | "registry-ui";

export interface Container {
  id: string;
  pid: number;
  /** On the stack's own network. */
  address: string;
}

/** The one user's right credential. */
export const SMITH = basic(USER, PASSWORD);

/** A deployed stack with an image in it, and ways in: its published ports, and its services from inside. */
export class Target {
  private readonly relays: ChildProcess[] = [];
  private readonly extras: string[] = [];
  private sockets = 0;

  private constructor(
    readonly workspace: Workspace,
    private readonly swarm: Swarm,
    private readonly credentials: Record<string, string> = CREDENTIALS,
  ) {}

  /** A stack that somebody else deploys. */
  static of(workspace: Workspace, swarm: Swarm): Target {
    return new Target(workspace, swarm);
  }

  static async deploy(
    stack: string,
    ports: [number, number],
    swarm: Swarm,
    changes: Changes,
    credentials: Record<string, string> = CREDENTIALS,
  ): Promise<Target> {
    const target = new Target(await Workspace.create(stack, ...ports), swarm, credentials);
    try {
      await target.redeploy(changes);
    } catch (error) {
      await target.destroy();
      throw error;
    }
    return target;
  }

  async redeploy(changes: Changes): Promise<void> {
    await writeConfig(this.workspace, this.swarm, changes);
    await this.workspace.hephaestus(["render"]);
    const run = await this.workspace.hephaestus(DEPLOY, { env: this.credentials });
    if (run.exitCode !== ExitCode.ok) throw new Error(run.all);
  }

  get storage(): string {
    return `${this.workspace.folder}/data`;
  }

  get gateway(): Endpoint {
    const { registryPort, registry } = this.workspace;
    return { name: "gateway", to: { host: "127.0.0.1", port: registryPort }, authority: registry };
  }

  get ui(): Endpoint {
    const { uiPort } = this.workspace;
    return { name: "UI", to: { host: "127.0.0.1", port: uiPort }, authority: `localhost:${uiPort}` };
  }

  pushImage(repository: string, tag = "latest"): Promise<Image> {
    return pushImage(this.gateway, SMITH, repository, tag);
  }

  async container(service: Service): Promise<Container> {
    const [id = ""] = await this.containers(service);
    const format = `{{.State.Pid}} {{(index .NetworkSettings.Networks "${this.workspace.stack}_internal").IPAddress}}`;
    const [pid = "", address = ""] = (await this.docker("inspect", "--format", format, id)).trim().split(" ");
    return { id, pid: Number(pid), address };
  }

  /** The full IDs of the containers of a service. */
  async containers(service: string): Promise<string[]> {
    const filter = `label=com.docker.swarm.service.name=${this.workspace.stack}_${service}`;
    const ids = await this.docker("ps", "--quiet", "--no-trunc", "--filter", filter);
    return ids.split("\n").filter(Boolean);
  }

  /** The output of a docker command that must not fail. */
  async docker(...args: string[]): Promise<string> {
    const run = await this.workspace.docker(...args);
    if (run.exitCode !== 0) throw new Error(`docker ${args[0]}: ${run.all}`);
    return run.stdout;
  }

  /** Runs a container beside the stack, until `destroy`. */
  async run(...args: string[]): Promise<void> {
    this.extras.push((await this.docker("run", "--detach", ...args)).trim());
  }

  /** Endpoints to addresses that are reached from inside a service's container, in its network namespace. */
  async endpointsFrom(
    service: Service,
    places: { name: string; host: string; port: number; authority?: string }[],
  ): Promise<Endpoint[]> {
    const { pid } = await this.container(service);
    const endpoints = places.map(({ name, host, port, authority }) => ({
      name,
      to: { path: `${this.workspace.folder}/endpoint-${++this.sockets}` },
      authority: authority ?? `${host}:${port}`,
    }));
    const plan: RelayPlan = {
      endpoints: endpoints.map(({ to }, index) => ({ socket: to.path, host: "", port: 0, ...places[index] })),
    };
    const program = fileURLToPath(new URL("./relay.ts", import.meta.url));
    const node = [process.execPath, "--import", import.meta.resolve("tsx"), program, JSON.stringify(plan)];
    const relay = spawn("nsenter", ["--target", String(pid), "--net", ...node], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.relays.push(relay);
    const [line] = (await once(relay.stdout, "data")) as [Buffer];
    if (!String(line).startsWith("ready")) throw new Error(`The relay in ${service} says ${line}.`);
    return endpoints;
  }

  /** Registry and reader, as a program in the UI's container would reach them. */
  async inside(): Promise<{ registry: Endpoint; reader: Endpoint }> {
    const places = await Promise.all(
      (["registry", "reader"] as const).map(async (name) => ({
        name,
        host: (await this.container(name)).address,
        port: 5000,
      })),
    );
    const [registry, reader] = await this.endpointsFrom("registry-ui", places);
    if (registry === undefined || reader === undefined) throw new Error("endpointsFrom() lost an endpoint.");
    return { registry, reader };
  }

  /** What nobody outside may see: the machine accounts' passwords, and everybody's hashes. */
  async secrets(): Promise<string[]> {
    const [gateway, registry] = await Promise.all(
      (["gateway", "registry"] as const).map((service) => this.container(service)),
    );
    const texts = await Promise.all([
      this.docker("exec", gateway?.id ?? "", "cat", "/run/secrets/gateway"),
      this.docker("exec", registry?.id ?? "", "cat", "/run/secrets/htpasswd"),
    ]);
    const found = texts.flatMap((text) => text.match(/[A-Za-z0-9+/=]{40,}|\$2[aby]\$\S+/g) ?? []);
    if (found.length < 4) throw new Error(`Four secrets were expected, not ${found.length}.`);
    return found;
  }

  /** What the containers wrote, without their credentials. */
  async log(service: Service): Promise<string> {
    return (await this.workspace.docker("logs", (await this.container(service)).id)).all;
  }

  /** @param networks more networks to remove, once nothing is on them */
  async destroy(networks: readonly string[] = []): Promise<void> {
    for (const relay of this.relays) relay.kill();
    if (this.extras.length > 0) await this.workspace.docker("rm", "--force", "--volumes", ...this.extras);
    await this.workspace.destroy(networks);
  }
}
