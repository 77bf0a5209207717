import type { Config } from "../config/resolve.js";
import { MIRROR_LOGINS_VARIABLE, mirrorLoginsFrom } from "../credentials/mirrorLogins.js";
import {
  NOTIFICATION_HEADERS_VARIABLE,
  notificationHeadersFrom,
} from "../credentials/notificationHeaders.js";
import type { Secret } from "../credentials/secret.js";
import { GIVEN_SECRETS, type GivenSecret, secretName } from "../credentials/secretKinds.js";
import { secretNamesOf, stackServices } from "../docker/objects.js";
import {
  generationsOf,
  inUseOrNewest,
  type SecretFacts,
  stackSecrets,
  writeSecret,
} from "../docker/swarmSecrets.js";
import type { DeployContext, Step } from "../operation/context.js";
import type { PreflightFinding } from "../operation/findings.js";
import { hasMirror } from "../services/mirrorSources.js";
import { hasNotificationHeaders } from "../services/notifier.js";
import { readSecretByService } from "./readSecret.js";

/** A secret that people give as it is. */
interface Kind {
  /** What it is, for people. */
  what: string;
  isNeeded: (config: Config) => boolean;
  /** @throws OperatorError where the environment has something else */
  from: (environment: Readonly<Record<string, string | undefined>>) => Secret | undefined;
  remedy: string;
}

const KINDS: Record<GivenSecret, Kind> = {
  "mirror-logins": {
    what: "the logins of the mirror",
    isNeeded: (config) => hasMirror(config) && config.regsync.logins,
    from: mirrorLoginsFrom,
    remedy: `Set ${MIRROR_LOGINS_VARIABLE} to a Docker config.json, or regsync.logins: false.`,
  },
  "notification-headers": {
    what: "the headers of notifications",
    isNeeded: hasNotificationHeaders,
    from: notificationHeadersFrom,
    remedy: `Set ${NOTIFICATION_HEADERS_VARIABLE} to the headers of each receiver, as JSON.`,
  },
};

const neededKinds = (config: Config): GivenSecret[] =>
  GIVEN_SECRETS.filter((kind) => KINDS[kind].isNeeded(config));

/** @throws OperatorError where the environment has something else in its place */
export const givenSecretFrom = (
  kind: GivenSecret,
  environment: Readonly<Record<string, string | undefined>>,
): Secret | undefined => KINDS[kind].from(environment);

/**
 * Chooses the generation of each: the one in use, or a new one where the environment has another content.
 *
 * @returns an error for each that is needed and is nowhere
 */
export async function chooseGivenSecrets(context: DeployContext): Promise<PreflightFinding[]> {
  const { docker, config } = context;
  const kinds = neededKinds(config);
  if (kinds.length === 0) return [];
  const secrets = await stackSecrets(docker, config.stack);
  const used = secretNamesOf(await stackServices(docker, config.stack));
  const findings: PreflightFinding[] = [];
  for (const kind of kinds) findings.push(...(await choose(context, kind, secrets, used)));
  return findings;
}

async function choose(
  context: DeployContext,
  kind: GivenSecret,
  secrets: readonly SecretFacts[],
  used: readonly string[],
): Promise<PreflightFinding[]> {
  const { config } = context;
  const generations = generationsOf(secrets, kind);
  const kept = inUseOrNewest(config.stack, kind, generations, used);
  const given = context.givenSecret(kind);
  const isKept = kept !== undefined && (given === undefined || (await isSame(context, kind, kept, given)));
  const chosen = isKept ? kept : Math.max(0, ...generations) + 1;
  context.generations = {
    ...context.generations,
    given: { ...context.generations.given, [kind]: chosen },
  };
  if (isKept || given !== undefined) return [];
  const { what, remedy } = KINDS[kind];
  return [{ severity: "error", message: `${what} are not in the Swarm yet`, remedy }];
}

/** Whether a generation holds what the environment has. Nothing about the content is noted, so it is read back. */
async function isSame(
  { docker, config }: DeployContext,
  kind: GivenSecret,
  generation: number,
  given: Secret,
): Promise<boolean> {
  const name = secretName(config.stack, kind, generation);
  const present = await readSecretByService(docker, config.stack, name, config.gateway.image);
  return present !== undefined && present.reveal().trim() === given.reveal();
}

/** Creates the secrets that people gave; what exists is kept. */
export const createGivenSecrets: Step = {
  id: "given-secrets",
  title: "Logins and headers",
  appliesTo: (config) => neededKinds(config).length > 0,
  async run({ config, docker, givenSecret, generations }) {
    const { stack } = config;
    const present = new Set((await stackSecrets(docker, stack)).map(({ name }) => name));
    const created: string[] = [];
    for (const kind of neededKinds(config)) {
      const generation = generations.given?.[kind] ?? 1;
      const name = secretName(stack, kind, generation);
      const content = present.has(name) ? undefined : givenSecret(kind);
      if (content === undefined) continue;
      await writeSecret(docker, stack, { kind, generation, origin: "given", content });
      created.push(name);
    }
    return created.length === 0 ? "kept" : `${created.join(", ")} created`;
  },
};
