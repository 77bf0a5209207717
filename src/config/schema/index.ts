import { z } from "zod";
import { hostName, text } from "../text.js";
import { authelia, credentials, ports, swarm, traefik, ui, users } from "./edge.js";
import { mirror, regsync } from "./imageMirror.js";
import { choice } from "./keys.js";
import { maintenance, retention } from "./maintenance.js";
import { metrics } from "./metrics.js";
import { alerts, notifications } from "./receivers.js";
import { gateway, networks, registry } from "./registry.js";
import { access, groups } from "./repositoryAccess.js";

/** The versions of the config file that this program reads. */
export const CONFIG_VERSION = 1;

export const stackName = text({
  what: "a stack name",
  remedy:
    "Use lower-case letters and digits, with single hyphens or underscores between them, at most 32 characters.",
  pattern: /^[a-z0-9]+(?:[-_][a-z0-9]+)*$/,
  maxLength: 32,
});

/**
 * hephaestus.yaml as it is written: the single source of types, defaults, messages, JSON Schema and
 * reference.
 */
export const configSchema = z
  .strictObject({
    version: z.literal(CONFIG_VERSION).default(CONFIG_VERSION).describe("version of this file's format"),
    stack: stackName
      .default("hephaestus")
      .describe("name of the Swarm stack; prefix of its services and secrets"),
    // Room for "registry-ui." in front of it.
    domain: hostName(241)
      .describe("your domain; ${DOMAIN_NAME} takes it from the environment")
      // What an editor checks is the text as written, before the environment is looked up.
      .meta({ pattern: "^(?:[a-z0-9.-]+|\\$\\{[A-Za-z_][A-Za-z0-9_]*(?::-[^}]*)?\\})$" }),
    expose: choice(
      ["traefik", "ports"],
      "traefik",
      "behind Traefik, or published on the node's ports for a LAN or a trial (plain HTTP)",
    ),
    registry,
    gateway,
    ui,
    traefik,
    authelia,
    ports,
    networks,
    swarm,
    credentials,
    users,
    access,
    groups,
    retention,
    mirror,
    regsync,
    maintenance,
    notifications,
    alerts,
    metrics,
  })
  .meta({ title: "hephaestus.yaml", description: "Configuration of a Hephaestus registry stack" });

/** What a person may write. */
export type WrittenConfig = z.input<typeof configSchema>;

/** What was written, with the schema's own defaults filled in. */
export type ParsedConfig = z.output<typeof configSchema>;

/** The JSON Schema (draft 2020-12) of hephaestus.yaml, for editors. `domain` also takes ${NAME}. */
export function jsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(configSchema, { io: "input", unrepresentable: "any" }) as Record<string, unknown>;
}
