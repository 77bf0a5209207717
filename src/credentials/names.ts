/**
 * The secrets of a stack. Those of one generation belong together: the htpasswd holds the hashes of the machine
 * accounts whose passwords the other two carry.
 */
export const GENERATION_SECRETS = ["htpasswd", "gateway", "ui"] as const;
export type GenerationSecret = (typeof GENERATION_SECRETS)[number];

/** The registry's http.secret outlives rotations, so that an upload that is running goes on. */
export const HTTP_SECRET = "http-secret";

export type SecretKind = GenerationSecret | typeof HTTP_SECRET;

/** The variable that `deploy` sets for compose: the generation of the secrets that the services use. */
export const GENERATION_VARIABLE = "HEPHAESTUS_GENERATION";

/** Name of a secret in the Swarm. */
export function secretName(stack: string, kind: SecretKind, generation: number | string): string {
  return `${stack}_${kind}_${generation}`;
}

/** The generation in a secret's name, or undefined where the name is of another stack or kind. */
export function generationOf(stack: string, kind: GenerationSecret, name: string): number | undefined {
  const prefix = secretName(stack, kind, "");
  const number = name.startsWith(prefix) ? name.slice(prefix.length) : "";
  return /^[1-9]\d{0,8}$/.test(number) ? Number(number) : undefined;
}
