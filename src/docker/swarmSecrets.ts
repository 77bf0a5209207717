import type { Secret } from "../credentials/secret.js";
import { HTPASSWD, parseSecretName, type SecretKind, secretName } from "../credentials/secretKinds.js";
import { ExitCode, OperatorError } from "../errors.js";
import { OWNER_LABEL } from "../services/composeModel.js";
import { type Docker, dockerFailed, saysAbsent } from "./run.js";

/** Labels of what hephaestus creates. None holds anything that was derived from a password. */
export const LABELS = {
  stack: OWNER_LABEL,
  generation: "hephaestus.generation",
  kind: "hephaestus.secret",
  /** With a user's name behind it: the generation in which this user got a generated password that nobody had been shown. */
  generated: "hephaestus.generated.",
  /** With a user's name behind it: when this user's password last changed, ISO 8601. */
  changed: "hephaestus.changed.",
  /** With a user's name behind it: the first day on which this user is refused. */
  until: "hephaestus.until.",
} as const;

/** Names that can stand in a label; all that hephaestus gives out can. */
const LABEL_USER = /^[a-zA-Z0-9][a-zA-Z0-9._@-]*$/;

const listSecretNames = (stack: string) => [
  "secret",
  "ls",
  "--filter",
  `label=${LABELS.stack}=${stack}`,
  "--format",
  "{{.Name}}",
];

/** A secret to be created. */
export interface NewSecret {
  kind: SecretKind;
  generation: number;
  content: Secret;
  /** Users whose passwords were generated and shown to nobody so far, each with the generation that made it; of an htpasswd. */
  generated?: ReadonlyMap<string, number>;
  /** When the password of each user last changed; of an htpasswd. */
  changed?: ReadonlyMap<string, Date>;
  /** The first day on which each user that ends is refused; of an htpasswd. */
  ends?: ReadonlyMap<string, string>;
}

/** The most bytes of a secret. Source: swarmkit, "secret data must be … less than 512000 bytes". */
export const MOST_SECRET_BYTES = 500 * 1024 - 1;

/** The content comes on standard input: `-`. */
export function createSecret(stack: string, secret: Omit<NewSecret, "content">): string[] {
  const labels = [
    `${LABELS.stack}=${stack}`,
    `${LABELS.generation}=${secret.generation}`,
    `${LABELS.kind}=${secret.kind}`,
    ...[...(secret.generated ?? [])].map(([user, made]) => `${LABELS.generated}${user}=${made}`),
    ...[...(secret.changed ?? [])]
      .filter(([user]) => LABEL_USER.test(user))
      .map(([user, date]) => `${LABELS.changed}${user}=${date.toISOString().replace(/\.\d+/, "")}`),
    ...[...(secret.ends ?? [])]
      .filter(([user]) => LABEL_USER.test(user))
      .map(([user, day]) => `${LABELS.until}${user}=${day}`),
  ];
  return [
    "secret",
    "create",
    ...labels.flatMap((label) => ["--label", label]),
    secretName(stack, secret.kind, secret.generation),
    "-",
  ];
}

export const removeSecrets = (names: readonly string[]) => ["secret", "rm", ...names];

/** Names of the stack's secrets that hephaestus (or ops-scripts/deploy.sh) created. */
export async function stackSecretNames(docker: Docker, stack: string): Promise<string[]> {
  const output = await docker.run(listSecretNames(stack));
  return output.split("\n").filter(Boolean).sort();
}

/**
 * Creates one secret; the content goes to docker's standard input and nowhere else.
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
  await docker.run(createSecret(stack, secret), { input: secret.content });
}

/** What the Swarm says about a secret: everything but its content. */
export interface SecretFacts {
  name: string;
  kind: SecretKind;
  generation: number;
  created: Date;
  /** Users whose passwords were generated and shown to nobody when it was written, each with the generation that made it. */
  generated: ReadonlyMap<string, number>;
  /** When the password of each user last changed; empty where nobody noted it. */
  changed: Map<string, Date>;
  /** The first day on which each user that ends is refused: YYYY-MM-DD. */
  ends: Map<string, string>;
}

interface InspectedSecret {
  CreatedAt: string;
  Spec: { Name: string; Labels?: Record<string, string> };
}

/** Facts of the stack's secrets, by name. */
export async function stackSecrets(docker: Docker, stack: string): Promise<SecretFacts[]> {
  const names = await stackSecretNames(docker, stack);
  if (names.length === 0) return [];
  const inspect = ["secret", "inspect", ...names];
  const result = await docker.attempt(inspect);
  // What vanished meanwhile is missing in the answer.
  if (result.exitCode !== 0 && !saysAbsent(result)) throw dockerFailed(inspect, result);
  const secrets = JSON.parse(result.stdout.trim() || "[]") as InspectedSecret[];
  return secrets.flatMap((secret) => factsOf(stack, secret)).sort((a, b) => (a.name < b.name ? -1 : 1));
}

function factsOf(stack: string, { CreatedAt, Spec }: InspectedSecret): SecretFacts[] {
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
