import { generationOf, type SecretKind } from "../credentials/secretKinds.js";
import type { Spec } from "./composedService.js";

/**
 * A service's spec as flat facts, so that two can be compared and read. What is not set, and what is what the engine
 * takes anyway, is no fact. A field that nobody knew of when this was written is one, under its own name.
 */

/** What swarmkit does when the fact changes. Source: swarmkit, manager/orchestrator/task.go, IsTaskDirty. */
export type Reach =
  /** New tasks take the places of the old ones. */
  | "tasks"
  /** The same, but only on nodes that do not fit the new placement. */
  | "placement"
  | "labels"
  /** Nothing restarts: replicas, how to update. */
  | "settings";

export interface Fact {
  value: string;
  reach: Reach;
}

export type Facts = ReadonlyMap<string, Fact>;

/** What a spec refers to by other means than names. */
export interface SpecNames {
  stack: string;
  /** Names of networks by id. */
  networks: ReadonlyMap<string, string>;
}

/** What Swarm or the CLI add by themselves, and `docker stack deploy` keeps or sets again. */
const IGNORED = [
  "Name",
  "TaskTemplate.ForceUpdate",
  "TaskTemplate.Runtime",
  // From the manifest of the image, where the engine looked it up.
  "TaskTemplate.Placement.Platforms",
];

/** What is the same as not set. Source: Docker Engine API v1.41, ServiceSpec. */
const DEFAULTS: Record<string, unknown> = {
  "TaskTemplate.ContainerSpec.Isolation": "default",
  "TaskTemplate.ContainerSpec.StopSignal": "SIGTERM",
};

/** Where a zero is a number like others. */
const NUMBERS = ["Mode.Replicated.Replicas", "UpdateConfig.Parallelism", "RollbackConfig.Parallelism"];

/** Names that say more than the API's own. */
const WORDS: Record<string, string> = {
  "TaskTemplate.ContainerSpec.Command": "entrypoint",
  "TaskTemplate.ContainerSpec.Args": "command",
  "TaskTemplate.ContainerSpec.ReadOnly": "read-only root",
  "TaskTemplate.ContainerSpec.CapabilityAdd": "added capabilities",
  "TaskTemplate.ContainerSpec.CapabilityDrop": "dropped capabilities",
  "TaskTemplate.Resources.Limits.NanoCPUs": "limit of cpus",
  "TaskTemplate.Resources.Limits.MemoryBytes": "limit of memory",
  "TaskTemplate.Resources.Limits.Pids": "limit of processes",
  "TaskTemplate.Resources.Reservations.NanoCPUs": "reservation of cpus",
  "TaskTemplate.Resources.Reservations.MemoryBytes": "reservation of memory",
  "TaskTemplate.Placement.MaxReplicas": "placement max replicas per node",
  "Mode.Replicated.Replicas": "replicas",
  "EndpointSpec.Mode": "endpoint mode",
};

/** What the generations of a secret are generations of. */
export const SECRET_WORDS: Record<SecretKind, string> = {
  htpasswd: "users",
  gateway: "machine account of the gateway",
  ui: "machine account of the admin UI",
  "http-secret": "http secret",
  s3: "keys of the S3 storage",
  "s3-reader": "keys of the reader for the S3 storage",
  mirror: "machine account of the mirror",
  "mirror-logins": "logins of the mirror",
  "notification-headers": "headers of notifications",
};

/** The facts of a service. */
export function serviceFacts(spec: Spec, names: SpecNames): Facts {
  const facts = new Map<string, Fact>();
  const add = (path: string, fact: string, value: string) => {
    const before = facts.get(fact)?.value;
    facts.set(fact, { value: before === undefined ? value : `${before}; ${value}`, reach: reachOf(path) });
  };
  const walk = (value: unknown, path: string) => {
    if (IGNORED.includes(path) || value === undefined || value === null || DEFAULTS[path] === value) return;
    const known = KEYED[path];
    // Before the next line: an empty label is a label.
    if (known) return known(value as never, (fact, text) => add(path, fact, text), names, spec);
    if (isGroup(value)) {
      for (const [key, inner] of Object.entries(value)) walk(inner, path === "" ? key : `${path}.${key}`);
      return;
    }
    if (isUnset(value) && !NUMBERS.includes(path)) return;
    add(path, WORDS[path] ?? words(path), shown(path, value));
  };
  walk(spec, "");
  return facts;
}

type Add = (fact: string, value: string) => void;
type Mounted = { File?: Spec; SecretName?: string; ConfigName?: string };

/** Parts whose entries have a name of their own. */
const KEYED: Record<string, (value: never, add: Add, names: SpecNames, spec: Spec) => void> = {
  Labels: (labels: Record<string, string>, add) => {
    for (const [key, value] of Object.entries(labels)) {
      // It repeats the image.
      if (key !== IMAGE_LABEL) add(`label ${key}`, value);
    }
  },
  "TaskTemplate.ContainerSpec.Labels": (labels: Record<string, string>, add) => {
    for (const [key, value] of Object.entries(labels)) add(`container label ${key}`, value);
  },
  "TaskTemplate.ContainerSpec.Sysctls": (sysctls: Record<string, string>, add) => {
    for (const [key, value] of Object.entries(sysctls)) add(`sysctl ${key}`, value);
  },
  "TaskTemplate.ContainerSpec.Image": (image: string, add, _names, spec) => {
    add("image", runningImage(image, (spec.Labels as Record<string, string> | undefined)?.[IMAGE_LABEL]));
  },
  "TaskTemplate.ContainerSpec.Env": (entries: string[], add) => {
    for (const entry of entries) {
      const [name = "", ...value] = entry.split("=");
      add(`environment ${name}`, value.join("="));
    }
  },
  "TaskTemplate.ContainerSpec.Mounts": (mounts: Spec[], add) => {
    for (const { Target, ...mount } of mounts) add(`mount ${Target}`, summary(mount));
  },
  "TaskTemplate.ContainerSpec.Secrets": (secrets: Mounted[], add, { stack }) => {
    for (const { File: { Name, ...file } = {}, SecretName = "" } of secrets) {
      const kinds = Object.entries(SECRET_WORDS) as Array<[SecretKind, string]>;
      const ofStack = kinds.find(([kind]) => generationOf(stack, kind, SecretName) !== undefined);
      if (ofStack) add(ofStack[1], `generation ${generationOf(stack, ofStack[0], SecretName)}`);
      add(`secret ${Name}`, `${ofStack?.[0] ?? SecretName}, ${summary(file)}`);
    }
  },
  "TaskTemplate.ContainerSpec.Configs": (configs: Mounted[], add) => {
    for (const { File: { Name, ...file } = {}, ConfigName = "" } of configs) {
      add(`${CONFIG_FACT}${Name}`, ConfigName);
      add(`permissions of ${Name}`, summary(file));
    }
  },
  "TaskTemplate.ContainerSpec.CapabilityAdd": (names: string[], add) =>
    add("added capabilities", capabilities(names)),
  "TaskTemplate.ContainerSpec.CapabilityDrop": (names: string[], add) =>
    add("dropped capabilities", capabilities(names)),
  "TaskTemplate.Placement.Preferences": (preferences: { Spread: { SpreadDescriptor: string } }[], add) => {
    for (const { Spread } of preferences) add("placement spread", Spread.SpreadDescriptor);
  },
  "TaskTemplate.Networks": (networks: Spec[], add, { networks: byId }) => {
    for (const { Target, ...network } of networks)
      add(`network ${byId.get(String(Target)) ?? Target}`, summary(network) || "attached");
  },
  "EndpointSpec.Ports": (ports: Spec[], add) => {
    for (const { TargetPort, Protocol, ...port } of ports)
      add(`port ${TargetPort}/${Protocol}`, summary(port));
  },
};

/** Configs are facts by their place in the container; the value is the config's name. */
export const CONFIG_FACT = "config ";

const IMAGE_LABEL = "com.docker.stack.image";

/**
 * The image as the compose file named it, where it still is that one: the engine adds the digest that the tag had then,
 * and writes the name in its short form.
 *
 * @param named the image that `docker stack deploy` was given
 */
function runningImage(image: string, named: string | undefined): string {
  const same = (name: string) => {
    const short = name.replace(/^docker\.io\//, "").replace(/^library\//, "");
    return /[:@][^/]*$/.test(short) ? short : `${short}:latest`;
  };
  const withoutDigest = image.replace(/@sha256:\w+$/, "");
  if (named === undefined) return withoutDigest;
  return same(named.includes("@") ? image : withoutDigest) === same(named) ? named : image;
}

function reachOf(path: string): Reach {
  if (path === "Labels") return "labels";
  if (path.startsWith("TaskTemplate.Placement")) return "placement";
  return /^(?:TaskTemplate|EndpointSpec)\b/.test(path) ? "tasks" : "settings";
}

const isGroup = (value: unknown): value is Spec =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function isUnset(value: unknown): boolean {
  if (value === undefined || value === null || value === "" || value === false || value === 0) return true;
  return typeof value === "object" && Object.values(value).every(isUnset);
}

/** "TaskTemplate.RestartPolicy.MaxAttempts" -> "restart policy max attempts" */
const words = (path: string): string =>
  path
    .replace(/^TaskTemplate\.|\bContainerSpec\./g, "")
    .replace(/\b\w*Options\.|Bytes$/g, "")
    .replaceAll(".", " ")
    .replace(/([a-z\d])([A-Z])|([A-Z])([A-Z][a-z])/g, "$1$3 $2$4")
    .replace(/\b[A-Z][a-zA-Z]*\b/g, (word) => word.toLowerCase());

/** The entries of a small group on one line: "type bind, source /data, read only". */
function summary(value: unknown, path = ""): string {
  if (isUnset(value)) return "";
  if (isGroup(value)) {
    const parts = Object.entries(value).map(([key, inner]) => summary(inner, path ? `${path}.${key}` : key));
    return parts.filter(Boolean).join(", ");
  }
  return value === true ? words(path) : `${words(path)} ${shown(path, value)}`;
}

function shown(path: string, value: unknown): string {
  const key = path.split(".").at(-1) ?? "";
  if (Array.isArray(value)) return list(path, value);
  if (typeof value !== "number") return value === true ? "yes" : String(value);
  if (key === "Mode") return value.toString(8).padStart(4, "0");
  if (key === "NanoCPUs") return String(value / 1e9);
  if (/Bytes$/.test(key)) return bytes(value);
  return /^(?:Delay|Monitor|Interval|Timeout|StartPeriod|StartInterval|StopGracePeriod|Window)$/.test(key)
    ? `${value / 1e9}s`
    : String(value);
}

/** A command as words, the others as a list. */
function list(path: string, values: readonly unknown[]): string {
  const texts = values.map((value) => (isGroup(value) ? summary(value) : String(value)));
  if (!/(?:Command|Args|Test)$/.test(path)) return texts.join(", ");
  return texts.map((word) => (/^[^\s"']+$/.test(word) ? word : JSON.stringify(word))).join(" ");
}

const capabilities = (names: readonly string[]): string =>
  names
    .map((name) => name.toUpperCase().replace(/^CAP_/, ""))
    .sort()
    .join(", ");

/** 536870912 -> "512M", as compose writes it. */
function bytes(value: number): string {
  for (const [unit, size] of [
    ["G", 2 ** 30],
    ["M", 2 ** 20],
    ["K", 2 ** 10],
  ] as const)
    if (value % size === 0) return `${value / size}${unit}`;
  return String(value);
}
