import type { EngineAnswer, EngineRequest } from "../../src/docker/engineConnection.js";
import { dockerFailed } from "../../src/docker/failures.js";
import type { CommandResult, Docker } from "../../src/docker/run.js";

/** An object of the engine, as far as a test says. */
type Objects = Array<Record<string, unknown>>;

const TYPES = ["services", "tasks", "nodes", "networks", "secrets", "configs"] as const;
type Type = (typeof TYPES)[number];

interface Names {
  ID?: string;
  Id?: string;
  Name?: string;
  Labels?: Record<string, string> | null;
  Spec?: { Name?: string; Labels?: Record<string, string> | null };
}

const idOf = (object: unknown): string => (object as Names).ID ?? (object as Names).Id ?? "";
const nameOf = (object: unknown): string => (object as Names).Spec?.Name ?? (object as Names).Name ?? "";
const labelsOf = (object: unknown) => (object as Names).Spec?.Labels ?? (object as Names).Labels ?? {};

const ok = (value: unknown, status = 200): EngineAnswer => ({ status, body: JSON.stringify(value) });
export const refused = (status: number, message: string): EngineAnswer => ok({ message }, status);

/** What `docker` prints, or how it ends. */
type Command = (args: readonly string[]) => string | CommandResult;

/**
 * A stand-in of the engine, for tests that need no Docker: objects that are listed, found, created, changed and removed by the
 * paths of the Engine API. It has a clock of its own, which no machine's clock has to agree with.
 */
export class FakeEngine {
  /** Milliseconds since the epoch; far from this machine's. */
  now = Date.parse("2031-05-05T05:05:05Z");
  /** Milliseconds by which the clock of the leader, which dates the objects, is ahead of that of the manager that answers. */
  ahead = 0;
  /** Whether it does not answer. */
  silent = false;
  /** Answers in the place of the engine. */
  trouble: (asked: string) => EngineAnswer | undefined = () => undefined;
  /** Every request that came so far, such as "GET /services", without filters. */
  readonly requests: string[] = [];
  readonly objects: Record<Type, Objects> = {
    services: [],
    tasks: [],
    nodes: [],
    networks: [],
    secrets: [],
    configs: [],
  };
  containers: Objects = [];
  /** What it says of itself in its Swarm. */
  swarm = { LocalNodeState: "active", ControlAvailable: true, NodeID: "n1", NodeAddr: "10.0.0.1" };
  private next = 1;

  /** @param objects that it begins with; an object without an id gets its name as one */
  constructor(objects: Partial<Record<Type, readonly object[]>> = {}) {
    for (const type of TYPES)
      this.objects[type] = (objects[type] ?? []).map((object) => ({
        ID: nameOf(object),
        Version: { Index: 1 },
        ...this.dates(),
        ...object,
      }));
  }

  /** Names of the objects of a type. */
  names = (type: Type): string[] => this.objects[type].map(nameOf).sort();

  /**
   * The docker of this engine.
   *
   * @param onCall gets each command and request that passes the guard
   * @param command answers the docker command
   */
  docker(onCall: (call: string) => void = () => {}, command: Command = () => ""): Docker {
    const docker: Docker = {
      ask: async (asked) => {
        await docker.guard?.();
        onCall(`${asked.method} ${asked.path.replace(/\?.*/, "")}`);
        return this.answer(asked);
      },
      attempt: async (args) => {
        await docker.guard?.();
        onCall(args.join(" "));
        const result = command(args);
        return typeof result === "string" ? { exitCode: 0, stdout: result, stderr: "" } : result;
      },
      run: async (args, options) => {
        const result = await docker.attempt(args, options);
        if (result.exitCode !== 0) throw dockerFailed(args, result);
        return result.stdout;
      },
    };
    return docker;
  }

  private dates() {
    const date = new Date(this.now + this.ahead).toISOString();
    return { CreatedAt: date, UpdatedAt: date };
  }

  private answer({ method, path, body }: EngineRequest): EngineAnswer {
    const url = new URL(path, "http://docker");
    const asked = `${method} ${url.pathname}${url.search.replace(/\?filters=.*/, "")}`;
    this.requests.push(asked);
    if (this.silent) return { body: "no answer" };
    const trouble = this.trouble(asked);
    if (trouble !== undefined) return trouble;
    const [, type = "", key, verb] = url.pathname.split("/");
    if (type === "version") return ok({ Version: "28.0.0", ApiVersion: "1.48", Os: "linux", Arch: "amd64" });
    if (type === "info") return ok(this.info());
    const filters = JSON.parse(url.searchParams.get("filters") ?? "{}") as Record<string, string[]>;
    if (type === "containers") return ok(this.containers.filter((one) => passes(one, filters)));
    const objects = this.objects[type as Type];
    if (key === undefined) return this.list(objects, filters);
    if (key === "create") return this.create(objects, body as Record<string, unknown>);
    const found = objects.find((object) => idOf(object) === key || nameOf(object) === key);
    if (found === undefined) return refused(404, `${type.slice(0, -1)} ${key} not found`);
    if (method === "DELETE") return this.remove(objects, found);
    return verb === "update" ? this.update(found, url.searchParams, body) : ok(found);
  }

  private list(objects: Objects, { service, ...filters }: Record<string, string[]>): EngineAnswer {
    const wanted = service?.map((name) => this.objects.services.find((one) => nameOf(one) === name));
    if (wanted?.includes(undefined)) return refused(404, `service ${service?.join(" or ")} not found`);
    const found = objects.filter((object) => passes(object, filters));
    return ok(
      wanted ? found.filter(({ ServiceID }) => wanted.some((one) => idOf(one) === ServiceID)) : found,
    );
  }

  private info() {
    return {
      SystemTime: new Date(this.now).toISOString(),
      DockerRootDir: "/var/lib/docker",
      Swarm: this.swarm,
    };
  }

  private create(objects: Objects, spec: Record<string, unknown>): EngineAnswer {
    const name = String(spec.Name);
    if (objects.some((object) => nameOf(object) === name)) return refused(409, `${name} already exists`);
    const ID = `id${String(this.next++).padStart(4, "0")}`.padEnd(25, "x");
    objects.push({ ID, Version: { Index: 1 }, ...this.dates(), Spec: spec });
    return ok({ ID }, 201);
  }

  private update(object: Record<string, unknown>, query: URLSearchParams, body: unknown): EngineAnswer {
    const { Version, Spec, PreviousSpec } = object as { Version: { Index: number } } & Record<
      string,
      unknown
    >;
    if (Version.Index !== Number(query.get("version"))) return refused(500, "update out of sequence");
    Object.assign(object, {
      Version: { Index: Version.Index + 1 },
      UpdatedAt: this.dates().UpdatedAt,
      Spec: query.get("rollback") === "previous" ? PreviousSpec : body,
      PreviousSpec: Spec,
    });
    return ok({ Warnings: null });
  }

  /** Swarm refuses to remove what a service uses. */
  private remove(objects: Objects, found: Record<string, unknown>): EngineAnswer {
    const uses = JSON.stringify(this.objects.services);
    const isUsed =
      objects !== this.objects.services && uses.includes(`Name":${JSON.stringify(nameOf(found))}`);
    if (isUsed) return refused(400, `${nameOf(found)} is in use by a service`);
    objects.splice(objects.indexOf(found), 1);
    return { status: 204, body: "" };
  }
}

function passes(object: unknown, { label = [], name = [], id }: Record<string, string[]>): boolean {
  const labels = Object.entries(labelsOf(object)).map(([key, value]) => `${key}=${value}`);
  return (
    label.every((one) => labels.includes(one)) &&
    (id === undefined || id.includes(idOf(object))) &&
    (name.length === 0 || name.some((part) => nameOf(object).includes(part)))
  );
}
