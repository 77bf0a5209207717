import { z } from "zod";
import { namesSecret, valueHoldsSecret } from "../../credentials/redaction.js";
import { text, UNPRINTABLE } from "../text.js";

/** Why a label may not be written by hand, and where its setting is. */
type Reserved = readonly [pattern: RegExp, reason: string, remedy: string];

const OWN = "is one that Hephaestus sets";
const TAKE_OUT = "Take it out of the labels.";

/** Traefik reads labels without regard to case; the first pattern that matches decides. */
const RESERVED_LABELS: readonly Reserved[] = [
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
];

const RESERVED_ROUTER_LABELS: readonly Reserved[] = [
  [/^middlewares$/i, OWN, "Set traefik.middlewares instead."],
  [/^entrypoints$/i, OWN, "Set traefik.entrypoint instead."],
  [/^tls$/i, OWN, "Set traefik.tls instead."],
  [/^tls\.certresolver$/i, OWN, "Set traefik.certResolver instead."],
  [/^(?:rule|service)$/i, OWN, TAKE_OUT],
  [/^traefik\./i, "is a whole label", "Write what stands behind the router's name, such as tls.options."],
];

const READABLE: Reserved = [
  /^/,
  "would stand readable in the service's labels",
  "Keep secrets out of labels: name a middleware that Traefik's file provider defines (traefik.middlewares).",
];

function labels(key: ReturnType<typeof text>, reserved: readonly Reserved[]) {
  const value = text({
    what: "a value of one line",
    remedy: "Leave out line breaks and other control characters.",
    pattern: new RegExp(`^[^${UNPRINTABLE}]*$`, "u"),
    maxLength: 1024,
  });
  return z
    .record(key, value)
    .superRefine((values, context) => {
      for (const [name, content] of Object.entries(values)) {
        const known = reserved.find(([pattern]) => pattern.test(name));
        const fault = known ?? (namesSecret(name) || valueHoldsSecret(content) ? READABLE : undefined);
        if (fault === undefined) continue;
        const [, reason, remedy] = fault;
        context.addIssue({
          code: "custom",
          path: [name],
          message: `the label ${name} ${reason}`,
          params: { remedy },
        });
      }
    })
    .default({});
}

/** Labels of services: what a constraint of Traefik's provider asks for, or a tool of the operator's own. */
export const serviceLabels = labels(
  text({
    what: "a name of a label",
    remedy: "Use letters, digits, dots, hyphens, underscores and slashes, such as traefik.constraint-label.",
    pattern: /^[a-zA-Z0-9](?:[a-zA-Z0-9._/[\]-]*[a-zA-Z0-9\]])?$/,
  }),
  RESERVED_LABELS,
).describe("your own labels for every service that has a router, such as the one that a constraint asks for");

/** Settings of a router, by the part of the label behind its name. */
export const routerLabels = labels(
  text({
    what: "a setting of a router",
    remedy: "Write what stands behind the router's name, such as priority or tls.options.",
    pattern: /^[a-zA-Z][a-zA-Z0-9.[\]]*$/,
  }),
  RESERVED_ROUTER_LABELS,
).describe("your own settings for each of our routers, such as tls.options");
