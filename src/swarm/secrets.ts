import type { SecretKind } from "../credentials/names.js";
import { secretName } from "../credentials/names.js";
import type { Secret } from "../credentials/secret.js";
import type { Docker } from "./docker.js";

/** Labels of what hephaestus creates. None holds anything that was derived from a password. */
export const LABELS = {
  stack: "hephaestus.stack",
  generation: "hephaestus.generation",
  kind: "hephaestus.secret",
  /** given by the operator, or generated and so to be handed over. */
  origin: "hephaestus.password",
} as const;

export type PasswordOrigin = "given" | "generated";

export const listSecretNames = (stack: string) => [
  "secret",
  "ls",
  "--filter",
  `label=${LABELS.stack}=${stack}`,
  "--format",
  "{{.Name}}",
];

/** The content comes on standard input: `-`. */
export function createSecret(
  stack: string,
  kind: SecretKind,
  generation: number,
  origin: PasswordOrigin,
): string[] {
  const labels = [
    `${LABELS.stack}=${stack}`,
    `${LABELS.generation}=${generation}`,
    `${LABELS.kind}=${kind}`,
    `${LABELS.origin}=${origin}`,
  ];
  return [
    "secret",
    "create",
    ...labels.flatMap((label) => ["--label", label]),
    secretName(stack, kind, generation),
    "-",
  ];
}

export const removeSecrets = (names: readonly string[]) => ["secret", "rm", ...names];

/** Names of the stack's secrets that hephaestus (or ops-scripts/deploy.sh) created. */
export async function stackSecretNames(docker: Docker, stack: string): Promise<string[]> {
  const output = await docker.run(listSecretNames(stack));
  return output.split("\n").filter(Boolean).sort();
}

/** Creates one secret; the content goes to docker's standard input and nowhere else. */
export async function writeSecret(
  docker: Docker,
  stack: string,
  kind: SecretKind,
  generation: number,
  origin: PasswordOrigin,
  content: Secret,
): Promise<void> {
  await docker.run(createSecret(stack, kind, generation, origin), { input: content });
}

/** Where a generation's password came from, undefined where there is no such secret or label. */
export async function passwordOrigin(
  docker: Docker,
  stack: string,
  generation: number,
): Promise<PasswordOrigin | undefined> {
  const format = `{{index .Spec.Labels "${LABELS.origin}"}}`;
  const { stdout } = await docker.attempt([
    "secret",
    "inspect",
    "--format",
    format,
    secretName(stack, "htpasswd", generation),
  ]);
  const origin = stdout.trim();
  return origin === "given" || origin === "generated" ? origin : undefined;
}
