/**
 * The secrets of a stack. Those of a family share a generation: when one of them changes, all of them are
 * written again, and the variable tells the compose file which generation the services use.
 */
export const FAMILIES = {
  // Changes with the users, and only the registry has to be rolled.
  users: { kinds: ["htpasswd"], variable: "HEPHAESTUS_GENERATION" },
  // The registry's http.secret has one generation for ever, so that a running upload survives every change.
  http: { kinds: ["http-secret"], variable: undefined },
  // Whose hashes are part of every htpasswd: accounts of the gateway, the admin UI, the library and the mirror.
  machines: { kinds: ["gateway", "ui", "library", "mirror"], variable: "HEPHAESTUS_MACHINE_GENERATION" },
  // The keys of the S3 storage: the registry's, and the reader's if it has its own.
  storage: { kinds: ["s3", "s3-reader"], variable: "HEPHAESTUS_S3_GENERATION" },
  // Logins at the registries that the mirror copies from.
  "mirror-logins": { kinds: ["mirror-logins"], variable: "HEPHAESTUS_MIRROR_GENERATION" },
  // Headers for receivers of notifications.
  "notification-headers": {
    kinds: ["notification-headers"],
    variable: "HEPHAESTUS_NOTIFICATION_GENERATION",
  },
} as const;

export type Family = keyof typeof FAMILIES;
const FAMILY_NAMES = Object.keys(FAMILIES) as Family[];
export type KindOf<F extends Family> = (typeof FAMILIES)[F]["kinds"][number];

export const HTPASSWD = "htpasswd";
export const HTTP_SECRET = "http-secret";
export type MachineSecret = KindOf<"machines">;
export type StorageSecret = KindOf<"storage">;

export type SecretKind = KindOf<Family>;
export const SECRET_KINDS: readonly SecretKind[] = FAMILY_NAMES.flatMap((family) => FAMILIES[family].kinds);

export const familyOf = (kind: SecretKind): Family =>
  FAMILY_NAMES.find((family) => (FAMILIES[family].kinds as readonly SecretKind[]).includes(kind)) as Family;

/** The generation of each family; undefined if the stack has no secret of it. */
export interface Generations extends Readonly<Partial<Record<Family, number | undefined>>> {
  readonly users: number;
  readonly machines: number;
}

/** Name of a secret in the Swarm. */
export function secretName(stack: string, kind: SecretKind, generation: number | string): string {
  return `${stack}_${kind}_${generation}`;
}

/** What the name of a secret says; undefined if it is of another stack, or none of these. */
export function parseSecretName(
  stack: string,
  name: string,
): { kind: SecretKind; generation: number } | undefined {
  const [, word = "", generation] = /^(.+)_([1-9]\d{0,8})$/.exec(name) ?? [];
  const kind = SECRET_KINDS.find((candidate) => word === `${stack}_${candidate}`);
  return kind && { kind, generation: Number(generation) };
}

/** The generations of a kind among the names of secrets, in rising order. */
export const generationsIn = (stack: string, kind: SecretKind, names: readonly string[]): number[] =>
  names
    .map((name) => parseSecretName(stack, name))
    .filter((parsed) => parsed?.kind === kind)
    .map((parsed) => parsed?.generation ?? 0)
    .sort((a, b) => a - b);

/** The environment for compose. */
export const generationVariables = (generations: Generations): Record<string, string> =>
  Object.fromEntries(
    FAMILY_NAMES.flatMap((family) => {
      const [{ variable }, generation] = [FAMILIES[family], generations[family]];
      return variable === undefined || generation === undefined ? [] : [[variable, String(generation)]];
    }),
  );
