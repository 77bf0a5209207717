import { z } from "zod";
import { namesSecret, valueHoldsSecret } from "../../credentials/redaction.js";
import { type TextKind, text, UNPRINTABLE } from "../text.js";

/**
 * Labels and variables of the operator's own. Some names are the stack's, and none is the place for a secret:
 * anyone can read them.
 */

/** Names that may not be written by hand, why, and what to do instead. */
type Reserved = readonly [pattern: RegExp, reason: string, remedy: string];

interface FreeValues {
  name: TextKind;
  /** The most characters of a value. */
  maxLength: number;
  /** The first pattern that matches decides. */
  reserved: readonly Reserved[];
  /** What is said of a secret. */
  readable: Reserved;
}

/** Names with values of one line. */
const freeValues = ({ name, maxLength, reserved, readable }: FreeValues) =>
  z
    .record(
      text(name),
      text({
        what: "a value of one line",
        remedy: "Leave out line breaks and other control characters.",
        pattern: new RegExp(`^[^${UNPRINTABLE}]*$`, "u"),
        maxLength,
      }),
    )
    .superRefine((values, context) => {
      for (const [key, value] of Object.entries(values)) {
        const known = reserved.find(([pattern]) => pattern.test(key));
        const fault = known ?? (namesSecret(key) || valueHoldsSecret(value) ? readable : undefined);
        if (fault === undefined) continue;
        const [, reason, remedy] = fault;
        context.addIssue({ code: "custom", path: [key], message: `${key} ${reason}`, params: { remedy } });
      }
    })
    .default({});

const OWN = "is one that Hephaestus sets";
const TAKE_OUT = "Take it out of the labels.";
const READABLE_LABEL: Reserved = [
  /^/,
  "would stand readable in the service's labels",
  "Keep secrets out of labels: name a middleware that Traefik's file provider defines (traefik.middlewares).",
];

/**
 * Labels of services: what a constraint of Traefik's provider asks for, or a tool of the operator's own.
 * Traefik ignores case.
 */
export const serviceLabels = freeValues({
  name: {
    what: "a name of a label",
    remedy: "Use letters, digits, dots, hyphens, underscores and slashes, such as traefik.constraint-label.",
    pattern: /^[a-zA-Z0-9](?:[a-zA-Z0-9._/[\]-]*[a-zA-Z0-9\]])?$/,
  },
  maxLength: 1024,
  reserved: [
    [
      /^traefik\.(?:docker|swarm)\./i,
      OWN,
      "Set traefik.version, traefik.network and swarm.endpointMode instead.",
    ],
    [/^traefik\.enable$/i, OWN, TAKE_OUT],
    [/^(?:com\.docker|hephaestus)\./i, OWN, TAKE_OUT],
    [
      /^traefik\.http\.routers\./i,
      "would define the same router at several services, which Traefik refuses",
      "Write what stands behind the router's name under traefik.routerLabels: it goes to each of our routers.",
    ],
    [
      /^traefik\.(?:http\.services|tcp|udp)\./i,
      "would define the same part of Traefik at several services, which it refuses",
      "Remove it: these labels stand on every service that has a router.",
    ],
  ],
  readable: READABLE_LABEL,
}).describe(
  "your own labels for every service that has a router, such as the one that a constraint asks for",
);

/** Settings of a router, by the part of the label behind its name. */
export const routerLabels = freeValues({
  name: {
    what: "a setting of a router",
    remedy: "Write what stands behind the router's name, such as priority or tls.options.",
    pattern: /^[a-zA-Z][a-zA-Z0-9.[\]]*$/,
  },
  maxLength: 1024,
  reserved: [
    [/^middlewares$/i, OWN, "Set traefik.middlewares instead."],
    [/^entrypoints$/i, OWN, "Set traefik.entrypoint instead."],
    [/^tls$/i, OWN, "Set traefik.tls instead."],
    [/^tls\.certresolver$/i, OWN, "Set traefik.certResolver instead."],
    [/^(?:rule|service)$/i, OWN, TAKE_OUT],
    [/^traefik\./i, "is a whole label", "Write what stands behind the router's name, such as tls.options."],
  ],
  readable: READABLE_LABEL,
}).describe("your own settings for each of our routers, such as tls.options");

/**
 * Settings of the registry that the rest of the stack does not rely on, each with what is below it. A
 * variable replaces the whole setting, so http.headers is not among them: the registry tells the gateway
 * there which users have ended. Source: distribution's configuration.md (every key is REGISTRY_<PATH>), lines
 * 2 and 3.
 */
const SETTINGS = [
  "REGISTRY_LOG",
  "REGISTRY_NOTIFICATIONS_EVENTS",
  "REGISTRY_HTTP_DEBUG",
  "REGISTRY_HTTP_HTTP2",
  "REGISTRY_HTTP_RELATIVEURLS",
  "REGISTRY_STORAGE_FILESYSTEM_MAXTHREADS",
  "REGISTRY_STORAGE_TAG_CONCURRENCYLIMIT",
  "REGISTRY_VALIDATION_MANIFESTS_URLS",
  "REGISTRY_COMPATIBILITY",
  "REGISTRY_POLICY",
];

/**
 * The registry's other settings, and what starts the programs of the task. What else they read, such as
 * HTTPS_PROXY, is free.
 */
const NOT_FREE = new RegExp(
  `^(?!(?:${SETTINGS.join("|")})(?:_|$))(?:REGISTRY(?:_|$)|HEPHAESTUS(?:_|$)|LD_|PATH$)`,
);

const READABLE_VARIABLE = [
  "would stand readable in the service's environment",
  "Remove it: Hephaestus gives the registry its secrets as Swarm secrets.",
] as const;

/** Environment of the registry, for the settings that this model does not have (REGISTRY_LOG_LEVEL, …). */
export const registryEnvironment = freeValues({
  name: {
    what: "a name of an environment variable",
    remedy: "Use capital letters, digits and underscores, such as REGISTRY_LOG_LEVEL.",
    pattern: /^[A-Z][A-Z0-9_]*$/,
  },
  maxLength: 4096,
  reserved: [
    [
      NOT_FREE,
      "is not a setting that registry.env takes",
      `Remove it: the stack sets this itself, or has a key for it in this file. Of the registry's own settings, registry.env takes ${SETTINGS.join(", ")}, and what is below them.`,
    ],
    // Headers of a collector of traces hold its key.
    [/^OTEL_.*_HEADERS$/, ...READABLE_VARIABLE],
  ],
  readable: [/^/, ...READABLE_VARIABLE],
}).describe(
  "environment variables of the registry, for settings that this file does not have; not for secrets",
);
