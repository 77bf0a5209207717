import { z } from "zod";
import { namesSecret, valueHoldsSecret } from "../../credentials/redaction.js";
import { text, UNPRINTABLE } from "../text.js";

/**
 * Settings of the registry that the rest of the stack does not rely on, each with what is below it. A variable replaces the whole
 * setting, so http.headers is not among them: the registry tells the gateway there which users have ended. Source:
 * distribution's configuration.md (every key is REGISTRY_<PATH>), lines 2 and 3.
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

/** Those, and what other programs of the task read, such as HTTPS_PROXY, but for what starts them. */
const ALLOWED = new RegExp(
  `^(?:${SETTINGS.join("|")})(?:_|$)|^(?!REGISTRY(?:_|$)|HEPHAESTUS(?:_|$)|LD_|PATH$)`,
);

/** Headers of a collector of traces: they hold its key. */
const HEADERS = /^OTEL_.*_HEADERS$/;

/** Why a variable is refused, and what to do instead. */
function refusal(name: string, value: string): [reason: string, remedy: string] | undefined {
  if (!ALLOWED.test(name))
    return [
      "is not a setting that registry.env takes",
      `Remove it: the stack sets this itself, or has a key for it in this file. Of the registry's own settings, registry.env takes ${SETTINGS.join(", ")}, and what is below them.`,
    ];
  if (namesSecret(name) || valueHoldsSecret(value) || HEADERS.test(name))
    return [
      "would stand readable in the service's environment",
      "Remove it: Hephaestus gives the registry its secrets as Swarm secrets.",
    ];
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
      const [reason, remedy] = refusal(name, value) ?? [];
      if (reason === undefined) continue;
      context.addIssue({ code: "custom", path: [name], message: `${name} ${reason}`, params: { remedy } });
    }
  })
  .default({})
  .describe(
    "environment variables of the registry, for settings that this file does not have; not for secrets",
  );
