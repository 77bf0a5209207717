import { parseSecretName, type SecretKind } from "../credentials/secretKinds.js";
import { IMAGE_LABEL, type Spec } from "./composedService.js";

/**
 * A service's spec as flat facts, so that two can be compared and read. What is not set, or set to the
 * engine's default, is no fact. A field that this program does not know is a fact under its own name.
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

interface Fact {
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
  // From the manifest of the image, if the engine looked it up.
  "TaskTemplate.Placement.Platforms",
];

/** Values that mean the same as not set. Source: Docker Engine API v1.41, ServiceSpec. */
const DEFAULTS: Record<string, unknown> = {
  "TaskTemplate.ContainerSpec.Isolation": "default",
  "TaskTemplate.ContainerSpec.StopSignal": "SIGTERM",
};

/** Fields in which zero means zero, and not "not set". */
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
const SECRET_WORDS: Record<SecretKind, string> = {
  htpasswd: "users",
  gateway: "machine account of the gateway",
  ui: "machine account of the admin UI",
  library: "machine account of the library",
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
  for (const { path, fact, value } of factsAt("", spec, names, spec)) {
    const before = facts.get(fact)?.value;
    facts.set(fact, { value: before === undefined ? value : `${before}; ${value}`, reach: reachOf(path) });
  }
  return facts;
}

interface PlacedFact {
  path: string;
  fact: string;
  value: string;
}

/** The facts of a part of a spec. */
function factsAt(path: string, value: unknown, names: SpecNames, spec: Spec): PlacedFact[] {
  if (IGNORED.includes(path) || value === undefined || value === null || DEFAULTS[path] === value) return [];
  const keyed = KEYED[path];
  // Before isUnset: an empty label is a label.
  if (keyed) return keyed(value as never, names, spec).map(([fact, text]) => ({ path, fact, value: text }));
  if (isGroup(value))
    return Object.entries(value).flatMap(([key, inner]) =>
      factsAt(path === "" ? key : `${path}.${key}`, inner, names, spec),
    );
  if (isUnset(value) && !NUMBERS.includes(path)) return [];
  return [{ path, fact: WORDS[path] ?? words(path), value: shown(path, value) }];
}

type NamedValue = [fact: string, value: string];
type Mounted = { File?: Spec; SecretName?: string; ConfigName?: string };

const eachKey =
  (word: string) =>
  (values: Record<string, unknown>): NamedValue[] =>
    Object.entries(values).map(([key, value]) => [`${word} ${key}`, String(value)]);

/** Parts whose entries have a name of their own. */
const KEYED: Record<string, (value: never, names: SpecNames, spec: Spec) => NamedValue[]> = {
  // One of them repeats the image.
  Labels: ({ [IMAGE_LABEL]: _, ...labels }: Record<string, string>) => eachKey("label")(labels),
  "TaskTemplate.ContainerSpec.Labels": eachKey("container label"),
  "TaskTemplate.ContainerSpec.Sysctls": eachKey("sysctl"),
  "TaskTemplate.ContainerSpec.Image": (image: string, _names, spec) => [
    ["image", runningImage(image, imageLabel(spec))],
  ],
  "TaskTemplate.ContainerSpec.Env": (entries: string[]) =>
    entries.map((entry) => {
      const [name = "", ...value] = entry.split("=");
      return [`environment ${name}`, value.join("=")];
    }),
  "TaskTemplate.ContainerSpec.Mounts": (mounts: Spec[]) =>
    mounts.map(({ Target, ...mount }) => [`mount ${Target}`, summary(mount)]),
  "TaskTemplate.ContainerSpec.Secrets": (secrets: Mounted[], { stack }) =>
    secrets.flatMap(({ File: { Name, ...file } = {}, SecretName = "" }) => {
      const own = parseSecretName(stack, SecretName);
      const mount: NamedValue = [`secret ${Name}`, `${own?.kind ?? SecretName}, ${summary(file)}`];
      return own === undefined ? [mount] : [[SECRET_WORDS[own.kind], `generation ${own.generation}`], mount];
    }),
  "TaskTemplate.ContainerSpec.Configs": (configs: Mounted[]) =>
    configs.flatMap(({ File: { Name, ...file } = {}, ConfigName = "" }): NamedValue[] => [
      [`${CONFIG_FACT}${Name}`, ConfigName],
      [`permissions of ${Name}`, summary(file)],
    ]),
  "TaskTemplate.Placement.Preferences": (preferences: { Spread: { SpreadDescriptor: string } }[]) =>
    preferences.map(({ Spread }) => ["placement spread", Spread.SpreadDescriptor]),
  "TaskTemplate.Networks": (networks: Spec[], { networks: byId }) =>
    networks.map(({ Target, ...network }) => [
      `network ${byId.get(String(Target)) ?? Target}`,
      summary(network) || "attached",
    ]),
  "EndpointSpec.Ports": (ports: Spec[]) =>
    ports.map(({ TargetPort, Protocol, ...port }) => [`port ${TargetPort}/${Protocol}`, summary(port)]),
};

/** Configs are facts by their place in the container; the value is the config's name. */
export const CONFIG_FACT = "config ";

/** The image that `docker stack deploy` was given. */
export const imageLabel = ({ Labels }: Spec): string | undefined =>
  (Labels as Record<string, string> | undefined)?.[IMAGE_LABEL];

/**
 * The image as the compose file named it, if it still is that image: the engine adds the digest that the tag
 * had then, and writes the name in its short form.
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

/**
 * A command as words, the others as a list; capabilities without the prefix that Docker takes and leaves out.
 */
function list(path: string, values: readonly unknown[]): string {
  if (/\.Capability(?:Add|Drop)$/.test(path))
    return values
      .map((name) => String(name).toUpperCase().replace(/^CAP_/, ""))
      .sort()
      .join(", ");
  const texts = values.map((value) => (isGroup(value) ? summary(value) : String(value)));
  if (!/(?:Command|Args|Test)$/.test(path)) return texts.join(", ");
  return texts.map((word) => (/^[^\s"']+$/.test(word) ? word : JSON.stringify(word))).join(" ");
}

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
