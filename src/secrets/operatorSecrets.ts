import type { Config } from "../config/resolve.js";
import {
  MIRROR_LOGINS,
  mirrorLoginsFrom,
  NOTIFICATION_HEADERS,
  notificationHeadersFrom,
  storageKeysFrom,
  storageVariables,
} from "../credentials/operatorVariables.js";
import type { Secret } from "../credentials/secret.js";
import {
  type Family,
  type Generations,
  type KindOf,
  type SecretKind,
  secretName,
} from "../credentials/secretKinds.js";
import { error, type Finding, findingKinds } from "../finding.js";
import { hasMirror } from "../services/mirrorSources.js";
import { hasNotificationHeaders } from "../services/notifier.js";
import type { Session } from "../session.js";
import type { NewSecret } from "../swarm/secrets.js";
import { keptGeneration, nextGeneration, type StackSecrets } from "./generations.js";
import { readSecretByService } from "./readSecret.js";

export const OPERATOR_SECRET_KINDS = findingKinds("Passwords and access", {
  "secret-not-given": error("{what} are not in the Swarm yet", "{variables}", {
    meaning: "a secret that only the operator can give is not in the Swarm yet",
    remedy: "Set the variable that has its content, for this deploy alone.",
  }),
});

/** What the operator gives for one secret. */
type GivenSecret = Pick<NewSecret, "kind" | "content">;

/** A family of secrets that the operator gives in variables of the environment. */
interface OperatorSecret<K extends SecretKind> {
  /** The kinds that a stack of this config needs. */
  kinds(config: Config): readonly K[];
  /**
   * @returns what the environment has of them; empty if it has nothing
   * @throws OperatorError if it has something else in its place
   */
  given(
    environment: Session["environment"],
    kinds: readonly K[],
  ): { readonly [kind in K]?: Secret | undefined };
  /** What is said if the secrets are nowhere, and the variables to set. */
  what: string;
  remedy(kinds: readonly K[]): string;
}

type OperatorFamily = Exclude<Family, "users" | "http" | "machines">;

export const OPERATOR_SECRETS: { readonly [F in OperatorFamily]: OperatorSecret<KindOf<F>> } = {
  storage: {
    kinds: ({ registry: { storage } }) =>
      storage.driver !== "s3" ? [] : storage.readerKeys ? ["s3", "s3-reader"] : ["s3"],
    given: storageKeysFrom,
    what: "the keys of the S3 storage",
    remedy: (kinds) => `Set ${storageVariables(kinds)}.`,
  },
  "mirror-logins": {
    kinds: (config) => (hasMirror(config) && config.regsync.logins ? ["mirror-logins"] : []),
    given: (environment) => ({ "mirror-logins": mirrorLoginsFrom(environment) }),
    what: "the logins of the mirror",
    remedy: () => `Set ${MIRROR_LOGINS.name} to a Docker config.json, or regsync.logins: false.`,
  },
  "notification-headers": {
    kinds: (config) => (hasNotificationHeaders(config) ? ["notification-headers"] : []),
    given: (environment) => ({ "notification-headers": notificationHeadersFrom(environment) }),
    what: "the headers of notifications",
    remedy: () => `Set ${NOTIFICATION_HEADERS.name} to the headers of each receiver, as JSON.`,
  },
};

export const OPERATOR_FAMILIES = Object.keys(OPERATOR_SECRETS) as OperatorFamily[];

/**
 * Chooses a generation of each family that the stack needs: the one that is kept, or a new one if the
 * environment has another content.
 *
 * @returns also the new secrets, and an error for each family that is needed and is nowhere
 */
export async function chooseOperatorSecrets(
  session: Session,
  found: StackSecrets,
): Promise<{
  generations: Partial<Generations>;
  secrets: NewSecret[];
  findings: Finding[];
}> {
  const { config, environment } = session;
  const generations: Partial<Record<Family, number>> = {};
  const secrets: NewSecret[] = [];
  const findings: Finding[] = [];
  for (const family of OPERATOR_FAMILIES) {
    const { kinds, given, what, remedy } = OPERATOR_SECRETS[family] as OperatorSecret<SecretKind>;
    const needed = kinds(config);
    if (needed.length === 0) continue;
    const contents = given(environment, needed);
    const brought = needed.flatMap((kind): GivenSecret[] => {
      const content = contents[kind];
      return content === undefined ? [] : [{ kind, content }];
    });
    const kept = keptGeneration(found, needed);
    const isKept = kept !== undefined && (await areSame(session, kept, brought));
    const generation = isKept ? kept : nextGeneration(found, family);
    generations[family] = generation;
    if (isKept) continue;
    secrets.push(...brought.map((secret) => ({ ...secret, generation })));
    if (brought.length > 0) continue;
    const evidence = `no secret of the kind ${needed.join(", ")}, and no variable with its content`;
    findings.push(
      OPERATOR_SECRET_KINDS.found("secret-not-given", { what, variables: remedy(needed) }, evidence),
    );
  }
  return { generations, secrets, findings };
}

/**
 * Whether a generation holds what the operator gave. Nothing about its content is noted, so it is read back.
 */
async function areSame(
  { docker, config: { stack, gateway } }: Session,
  generation: number,
  given: readonly GivenSecret[],
): Promise<boolean> {
  for (const { kind, content } of given) {
    const present = await readSecretByService(
      docker,
      stack,
      secretName(stack, kind, generation),
      gateway.image,
    );
    if (present?.reveal().trim() !== content.reveal().trim()) return false;
  }
  return true;
}
