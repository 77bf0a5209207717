import { z } from "zod";
import { namesSecret, valueHoldsSecret } from "../../credentials/secretNames.js";
import { text, UNPRINTABLE } from "../text.js";

/** Why a variable is refused, and what to do instead. */
interface Refusal {
  reason: string;
  remedy: string;
}

const IN_THE_WAY = "Remove it: the stack sets this itself.";

/** Harmless settings below a refused name. Source: distribution's configuration.md, lines 2 and 3. */
const ALLOWED = /^REGISTRY_STORAGE_(?:FILESYSTEM_MAXTHREADS|TAG_CONCURRENCYLIMIT)$/;

const below = (...names: string[]) => new RegExp(`^(?:${names.join("|")})(?:_|$)`);

/**
 * Variables that would work against the rest of the stack, each with its reason; the first that matches decides.
 * What is not here is taken. Source: distribution's configuration.md (every key is REGISTRY_<PATH>), lines 2 and 3.
 */
const REFUSED: ReadonlyArray<readonly [RegExp, Refusal]> = [
  [
    below("REGISTRY_AUTH"),
    {
      reason: "would change who may write",
      remedy: "Remove it: Hephaestus gives the registry its authentication as a Swarm secret.",
    },
  ],
  [
    below("REGISTRY_STORAGE_FILESYSTEM"),
    {
      reason: "would move the storage away from where gc, backup and doctor look for it",
      remedy: "Set registry.storage.path to the folder on the node.",
    },
  ],
  [
    below("REGISTRY_STORAGE_DELETE"),
    { reason: "would change who may delete", remedy: "Set registry.delete: true or false." },
  ],
  [
    below("REGISTRY_STORAGE_MAINTENANCE", "HEPHAESTUS"),
    {
      reason: "would override what hephaestus gc sets while it runs",
      remedy: "Remove it: hephaestus gc makes the registry read-only as long as it works.",
    },
  ],
  [
    below("REGISTRY_STORAGE_CACHE"),
    {
      reason: "would keep descriptors of blobs that are gone",
      remedy: "Remove it: a cache outside of the registry is stale after a gc, and pushes fail.",
    },
  ],
  [
    below("REGISTRY_STORAGE"),
    {
      reason: "would store images where gc, backup and doctor do not look",
      remedy: "Set registry.storage.path, or registry.storage.driver: s3.",
    },
  ],
  [
    below("REGISTRY_PROXY"),
    {
      reason: "would make the registry a mirror, which refuses every push",
      remedy: "Remove it, and list the images under mirror: they are copied into this registry.",
    },
  ],
  [
    below("REGISTRY_MIDDLEWARE"),
    {
      reason: "would put another storage or address between the registry and its clients",
      remedy: IN_THE_WAY,
    },
  ],
  [
    below("REGISTRY_HTTP_ADDR", "REGISTRY_HTTP_NET"),
    {
      reason: "would move the registry away from where the gateway asks for it",
      remedy: "Remove it: inside the stack the registry listens on port 5000.",
    },
  ],
  [
    below("REGISTRY_HTTP_HOST", "REGISTRY_HTTP_PREFIX"),
    {
      reason: "would change the addresses that clients are sent to",
      remedy: "Set registry.host, and traefik.publicPort where it is not 443.",
    },
  ],
  [
    below("REGISTRY_HTTP_TLS"),
    {
      reason: "would make the registry speak TLS, which neither the gateway nor its healthcheck does",
      remedy: "Remove it: TLS ends at Traefik (traefik.certResolver), or before it (traefik.tls: false).",
    },
  ],
  [
    below("REGISTRY_HTTP_DRAINTIMEOUT"),
    { reason: "would not fit the time that Swarm gives a task to stop", remedy: IN_THE_WAY },
  ],
  [
    /^REGISTRY_HTTP$/,
    {
      reason: "would replace the registry's listener, secret and timeouts at once",
      remedy: "Remove it, and set single keys, such as REGISTRY_HTTP_HTTP2_DISABLED.",
    },
  ],
  [
    below("REGISTRY_HEALTH"),
    { reason: "would change how Swarm recognises a healthy task", remedy: IN_THE_WAY },
  ],
  [
    below("REGISTRY_VALIDATION_MANIFESTS_INDEXES"),
    {
      reason: "would let an index name images that were never pushed, which backup takes for damage",
      remedy: "Remove it: push every platform of an index.",
    },
  ],
  [
    /^REGISTRY_VERSION$/,
    { reason: "would change the format that the registry reads its config in", remedy: IN_THE_WAY },
  ],
  [
    below("REGISTRY_REPORTING", "OTEL_EXPORTER_OTLP(?:_[A-Z]+)?_HEADERS"),
    {
      reason: "would stand readable in the service's environment, and holds a key",
      remedy: "Remove it: send traces or logs to a collector of your own, which knows the key.",
    },
  ],
  [/^(?:PATH|LD_\w+)$/, { reason: "would change which programs the task runs", remedy: IN_THE_WAY }],
];

const READABLE: Refusal = {
  reason: "would stand readable in the service's environment",
  remedy: "Remove it: Hephaestus gives the registry its secrets as Swarm secrets.",
};

/** What the UI asks of the catalog at once; the registry answers 400 to more than it is set to. */
const LEAST_CATALOG = 1000;

function refusalOf(name: string, value: string): Refusal | undefined {
  if (ALLOWED.test(name)) return undefined;
  const known = REFUSED.find(([pattern]) => pattern.test(name))?.[1];
  if (known) return known;
  if (namesSecret(name) || valueHoldsSecret(value)) return READABLE;
  if (name === "REGISTRY_CATALOG_MAXENTRIES" && !(Number(value) >= LEAST_CATALOG)) {
    return {
      reason: "would refuse the library's question for all repositories",
      remedy: `Set it to ${LEAST_CATALOG} or more, or remove it.`,
    };
  }
  return undefined;
}

/** Environment of the registry, for the settings that this model does not have (REGISTRY_LOG_LEVEL, …). */
export const registryEnvironment = z
  .record(
    text({
      what: "a name of an environment variable",
      remedy: "Use capital letters, digits and underscores, such as REGISTRY_LOG_LEVEL.",
      pattern: /^[A-Z][A-Z0-9_]*$/,
    }),
    text({
      what: "a value of one line",
      remedy: "Leave out line breaks and other control characters.",
      pattern: new RegExp(`^[^${UNPRINTABLE}]*$`, "u"),
      maxLength: 4096,
    }),
  )
  .superRefine((values, context) => {
    for (const [name, value] of Object.entries(values)) {
      const refusal = refusalOf(name, value);
      if (refusal === undefined) continue;
      context.addIssue({
        code: "custom",
        path: [name],
        message: `${name} ${refusal.reason}`,
        params: { remedy: refusal.remedy },
      });
    }
  })
  .default({})
  .describe("environment of the registry, for settings that this file does not have; no place for secrets");
