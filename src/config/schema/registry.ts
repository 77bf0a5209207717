import { z } from "zod";
import {
  absolutePath,
  byteSize,
  hostName,
  imageReference,
  nodeLabel,
  objectName,
  placementConstraint,
  seconds,
  text,
} from "../text.js";
import { registryEnvironment } from "./freeValues.js";
import { choice, count, flag, group, list, optional } from "./keys.js";

/** Swarm refuses less than a thousandth of a core, and more digits than it can count. */
const cores = () =>
  z
    .number()
    .min(0.001)
    .max(1024)
    .refine((value) => Number(value.toFixed(3)) === value, {
      message: "has more than three decimals",
      params: { remedy: "Write it as 0.25 or 1.5." },
    });

/** CPU and memory as Swarm's `deploy.resources` has them. */
const amounts = (cpus: number | undefined, memory: string | undefined) =>
  z.strictObject({
    cpus: optionalDefault(cores(), cpus).describe("CPU cores, fractions allowed"),
    memory: optionalDefault(byteSize(), memory).describe("bytes with a unit"),
  });

function optionalDefault<T extends z.ZodType>(schema: T, value: z.output<T> | undefined) {
  return value === undefined ? schema.optional() : schema.default(value as never);
}

export const resources = (cpus: number, memory: string) =>
  group({
    limits: amounts(cpus, memory).prefault({}).describe("what a task may use at most"),
    reservations: amounts(undefined, undefined).prefault({}).describe("what a node must have free"),
  });

const placement = (constraints: string[], what: string) =>
  group({
    constraints: z.array(placementConstraint()).default(constraints).describe(what),
    spread: list(
      nodeLabel(),
      "labels of nodes, such as `node.labels.zone`: tasks spread evenly over their values",
    ),
    maxReplicasPerNode: z.int().min(1).max(1000).optional().describe("largest number of tasks on one node"),
  });

const DRIVER = "where the images are kept: `filesystem` is a folder, `s3` a bucket";

const filesystem = z.strictObject({
  driver: z.literal("filesystem").optional().default("filesystem").describe(DRIVER),
  path: optional(
    absolutePath(),
    "folder on the node, mounted into the registry",
    "`/mnt/storage/registry`, unless there is a `volume`",
  ),
  volume: optional(
    objectName("a name of a volume"),
    "named volume on the node instead of a folder; it must exist, and `destroy` never removes it",
    "none: a folder",
  ),
  shared: flag(false, "whether all nodes that fit share that folder, such as over NFS"),
});

const s3 = z.strictObject({
  driver: z.literal("s3").describe(DRIVER).meta({ derived: "`filesystem`" }),
  bucket: text({
    what: "the name of a bucket",
    remedy: "Use lower-case letters, digits, dots and hyphens, 3 to 63 characters.",
    pattern: /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/,
  })
    .describe("bucket, which must exist")
    .meta({ derived: "required with `s3`" }),
  region: text({
    what: "a region",
    remedy: "Write it as your provider does, such as eu-central-1.",
    pattern: /^[a-zA-Z0-9][a-zA-Z0-9-]*$/,
    maxLength: 64,
  })
    .default("us-east-1")
    .describe("region of the bucket; most servers other than AWS accept any"),
  endpoint: optional(
    text({
      what: "the address of an S3 server",
      remedy: "Write https://HOST or https://HOST:PORT, without a path.",
      pattern: /^https?:\/\/[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?$/,
    }),
    "address of the S3 server, as the nodes reach it",
    "AWS",
  ),
  forcePathStyle: optional(
    z.boolean(),
    "whether the bucket is in the path instead of the host name",
    "`true` with an endpoint",
  ),
  prefix: optional(
    text({
      what: "a prefix of keys",
      remedy: "Use letters, digits, dots, underscores and hyphens, with slashes between: team/registry.",
      pattern: /^[a-zA-Z0-9_-][a-zA-Z0-9._-]*(?:\/[a-zA-Z0-9_-][a-zA-Z0-9._-]*)*$/,
    }),
    "prefix of all keys in the bucket",
    "none",
  ),
  encrypt: flag(false, "whether the server encrypts the objects (SSE)"),
  storageClass: choice(
    [
      "STANDARD",
      "REDUCED_REDUNDANCY",
      "STANDARD_IA",
      "ONEZONE_IA",
      "INTELLIGENT_TIERING",
      "OUTPOSTS",
      "GLACIER_IR",
      "NONE",
    ],
    "STANDARD",
    "storage class of the objects",
  ),
  redirect: flag(
    false,
    "whether clients fetch layers from the S3 server itself, which they must reach at its endpoint",
  ),
  readerKeys: flag(false, "whether the reader has keys of its own, which need only read access"),
});

/** Each further driver is one more member of this union. */
const storage = z.discriminatedUnion("driver", [filesystem, s3]).prefault({});

/**
 * Of a config that names none. It stays at line 2, so that a newer hephaestus does not change the registry
 * of a running stack; `init` writes an image of line 3.
 */
export const DEFAULT_REGISTRY = "registry:2.8.3";

export const registry = group({
  image: imageReference()
    .default(DEFAULT_REGISTRY)
    .describe("the Docker Registry; lines 2.x and 3.x both work, and `init` writes the newest 3.x"),
  version: optional(
    z.union([z.literal(2), z.literal(3)]),
    "the line of the image, if its tag does not begin with it",
    "from the image's tag",
  ),
  host: optional(hostName(), "public host name", "`registry.<domain>`; `<domain>` with `expose: ports`"),
  pull: choice(["anonymous", "authenticated"], "anonymous", "who may pull; pushing always needs a login"),
  delete: flag(false, "whether a logged-in user may delete"),
  storage,
  user: text({
    what: "a user and group by number",
    remedy: "Write UID:GID, such as 10001:10001.",
    pattern: /^\d{1,9}:\d{1,9}$/,
  })
    .default("10001:10001")
    .describe("user and group that the registry runs as and that own the storage"),
  replicas: count(1, 100, 1, "tasks; more than one needs storage that all nodes share"),
  placement: placement(
    ["node.role == manager"],
    "nodes that may hold the storage; with several, name the one that has the disk",
  ),
  resources: resources(2, "1G"),
  env: registryEnvironment,
});

export const gateway = group({
  image: imageReference().default("nginx:1.30.5-alpine").describe("stock nginx, 1.30 or newer, not `-slim`"),
  replicas: count(1, 100, 1, "tasks; with `expose: ports`, at most one on each node"),
  placement: placement([], "nodes that may run it"),
  cache: optional(byteSize(), "size of a cache of layers on each gateway's node, such as 10G", "none"),
  // Each check costs the registry a bcrypt.
  remember: seconds(1, 300)
    .default("45s")
    .describe(
      "how long an answer about a password is remembered; a removed user may get in for as long, with a token for 65 s",
    ),
  log: choice(
    ["plain", "json"],
    "plain",
    "format of the access log; `json` names user, repository and action on each line",
  ),
  resources: resources(2, "512M"),
});

export const networks = group({
  internal: objectName("a network name").default("internal").describe("the stack's own overlay network"),
  encrypted: flag(false, "whether its traffic between nodes is encrypted (IPsec)"),
  mtu: optional(
    z.int().min(576).max(9216),
    "MTU of the interfaces between the nodes; containers get 50 bytes less, for VXLAN",
    "none: Docker takes 1500",
  ),
});
