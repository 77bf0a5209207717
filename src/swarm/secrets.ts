import { z } from "zod";
import type { Secret } from "../credentials/secret.js";
import { HTPASSWD, parseSecretName, type SecretKind, secretName } from "../credentials/secretKinds.js";
import { engineGet, enginePost, engineRemove, type Filters, listPath } from "../docker/engineApi.js";
import type { Docker } from "../docker/run.js";
import { ExitCode, OperatorError } from "../errors.js";
import { OWNER_LABEL } from "../services/composeModel.js";
import { LABELS_OF, labelledBy } from "./objects.js";

/** Labels of what hephaestus creates. None holds anything that was derived from a password. */
export const LABELS = {
  stack: OWNER_LABEL,
  generation: "hephaestus.generation",
  kind: "hephaestus.secret",
  /**
   * With a user's name behind it: the generation in which this user got a generated password that nobody had
   * been shown.
   */
  generated: "hephaestus.generated.",
  /** With a user's name behind it: when this user's password last changed, ISO 8601. */
  changed: "hephaestus.changed.",
  /** With a user's name behind it: the first day on which this user is refused. */
  until: "hephaestus.until.",
} as const;

/** Names that can stand in a label; all that hephaestus gives out can. */
const LABEL_USER = /^[a-zA-Z0-9][a-zA-Z0-9._@-]*$/;

/** A secret to be created. */
export interface NewSecret {
  kind: SecretKind;
  generation: number;
  content: Secret;
  /**
   * Users whose passwords were generated and shown to nobody so far, each with the generation that made it;
   * of an htpasswd.
   */
  generated?: ReadonlyMap<string, number>;
  /** When the password of each user last changed; of an htpasswd. */
  changed?: ReadonlyMap<string, Date>;
  /** The first day on which each user that ends is refused; of an htpasswd. */
  ends?: ReadonlyMap<string, string>;
}

/** The most bytes of a secret. Source: swarmkit, "secret data must be … less than 512000 bytes". */
export const MOST_SECRET_BYTES = 500 * 1024 - 1;

/** Everything about a secret but its content, as the Swarm shows it. */
export function secretLabels(
  stack: string,
  { kind, generation, generated, changed, ends }: Omit<NewSecret, "content">,
): Record<string, string> {
  const ofUsers = <T>(
    label: string,
    values: ReadonlyMap<string, T> | undefined,
    text: (value: T) => string,
  ) =>
    [...(values ?? [])]
      .filter(([user]) => LABEL_USER.test(user))
      .map(([user, value]) => [`${label}${user}`, text(value)] as const);
  return {
    [LABELS.stack]: stack,
    [LABELS.generation]: String(generation),
    [LABELS.kind]: kind,
    ...Object.fromEntries([
      ...ofUsers(LABELS.generated, generated, String),
      ...ofUsers(LABELS.changed, changed, (date) => date.toISOString().replace(/\.\d+/, "")),
      ...ofUsers(LABELS.until, ends, (day) => day),
    ]),
  };
}

/** Removes a secret if no service uses it. @returns whether it is gone */
export const removeSecretNamed = (docker: Docker, name: string): Promise<boolean> =>
  engineRemove(docker, `/secrets/${name}`);

/** Names of the stack's secrets that hephaestus (or ops-scripts/deploy.sh) created. */
export const stackSecretNames = async (docker: Docker, stack: string): Promise<string[]> =>
  (await labelledSecrets(docker, stack)).map(({ Spec }) => Spec.Name).sort();

/**
 * Creates one secret; the content goes to the engine and nowhere else.
 *
 * @throws OperatorError when the content is larger than a secret can be
 */
export async function writeSecret(docker: Docker, stack: string, secret: NewSecret): Promise<void> {
  const bytes = Buffer.byteLength(secret.content.reveal());
  if (bytes > MOST_SECRET_BYTES) {
    throw new OperatorError(
      `needs ${Math.ceil(bytes / 1024)} kB, and a secret of a Swarm holds less than ${Math.ceil(MOST_SECRET_BYTES / 1024)} kB`,
      {
        where: secretName(stack, secret.kind, secret.generation),
        remedy:
          secret.kind === HTPASSWD
            ? "Remove users that nobody needs, or shorten names and notes."
            : "Shorten what it is made from.",
        exitCode: ExitCode.credentials,
      },
    );
  }
  await enginePost(docker, "/secrets/create", {
    Name: secretName(stack, secret.kind, secret.generation),
    Labels: secretLabels(stack, secret),
    Data: Buffer.from(secret.content.reveal()).toString("base64"),
  });
}

/** What the Swarm says about a secret: everything but its content. */
export interface SecretFacts {
  name: string;
  kind: SecretKind;
  generation: number;
  created: Date;
  /**
   * Users whose passwords were generated and shown to nobody when it was written, each with the generation
   * that made it.
   */
  generated: ReadonlyMap<string, number>;
  /** When the password of each user last changed; empty where nobody noted it. */
  changed: Map<string, Date>;
  /** The first day on which each user that ends is refused: YYYY-MM-DD. */
  ends: Map<string, string>;
}

const SECRET = z.object({
  ID: z.string(),
  CreatedAt: z.string(),
  Spec: z.object({ Name: z.string(), Labels: LABELS_OF }),
});

type SwarmSecret = z.infer<typeof SECRET>;

export const listSecrets = (docker: Docker, filters: Filters): Promise<SwarmSecret[]> =>
  engineGet(docker, listPath("/secrets", filters), z.array(SECRET));

const labelledSecrets = (docker: Docker, stack: string): Promise<SwarmSecret[]> =>
  listSecrets(docker, labelledBy(stack));

/** The id of a secret. @throws OperatorError when there is none of that name */
export const secretId = async (docker: Docker, name: string): Promise<string> =>
  (await engineGet(docker, `/secrets/${name}`, SECRET)).ID;

/** Facts of the stack's secrets, by name. */
export const stackSecrets = async (docker: Docker, stack: string): Promise<SecretFacts[]> =>
  (await labelledSecrets(docker, stack))
    .flatMap((secret) => factsOf(stack, secret))
    .sort((a, b) => (a.name < b.name ? -1 : 1));

function factsOf(stack: string, { CreatedAt, Spec }: SwarmSecret): SecretFacts[] {
  const parsed = parseSecretName(stack, Spec.Name);
  if (parsed === undefined) return [];
  const labels = Object.entries(Spec.Labels ?? {});
  const generated = labels
    .filter(([label]) => label.startsWith(LABELS.generated))
    .map(([label, made]) => [label.slice(LABELS.generated.length), Number(made)] as const);
  const changed = labels
    .filter(([label, date]) => label.startsWith(LABELS.changed) && !Number.isNaN(Date.parse(date)))
    .map(([label, date]) => [label.slice(LABELS.changed.length), new Date(date)] as const);
  const ends = labels
    .filter(([label, day]) => label.startsWith(LABELS.until) && /^\d{4}-\d\d-\d\d$/.test(day))
    .map(([label, day]) => [label.slice(LABELS.until.length), day] as const);
  return [
    {
      ...parsed,
      name: Spec.Name,
      created: new Date(CreatedAt),
      generated: new Map(generated),
      changed: new Map(changed),
      ends: new Map(ends),
    },
  ];
}
