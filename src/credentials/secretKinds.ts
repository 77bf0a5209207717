/**
 * The secrets of a stack. The htpasswd has a generation of its own: with the users it changes, and only the registry
 * has to be rolled. The machine accounts, whose hashes stand in every htpasswd, are kept from one to the next.
 */
export const HTPASSWD = "htpasswd";

/** What gateway, admin UI and mirror send to the registry: one generation of machine accounts. */
export const MACHINE_SECRETS = ["gateway", "ui", "mirror"] as const;
export type MachineSecret = (typeof MACHINE_SECRETS)[number];

/** The registry's http.secret outlives rotations, so that a running upload continues. */
export const HTTP_SECRET = "http-secret";

/** The keys of the S3 storage: of the registry, and, where it has its own, of the reader. One generation. */
export const STORAGE_SECRETS = ["s3", "s3-reader"] as const;
export type StorageSecret = (typeof STORAGE_SECRETS)[number];

/**
 * Secrets that people give as they are, each with generations of its own: the logins at registries that the mirror copies
 * from, and headers for receivers of notifications.
 */
export const GIVEN_SECRETS = ["mirror-logins", "notification-headers"] as const;
export type GivenSecret = (typeof GIVEN_SECRETS)[number];

export type SecretKind = typeof HTPASSWD | MachineSecret | typeof HTTP_SECRET | StorageSecret | GivenSecret;
export const SECRET_KINDS: readonly SecretKind[] = [
  HTPASSWD,
  HTTP_SECRET,
  ...MACHINE_SECRETS,
  ...STORAGE_SECRETS,
  ...GIVEN_SECRETS,
];

export const isStorageSecret = (kind: SecretKind): kind is StorageSecret =>
  (STORAGE_SECRETS as readonly string[]).includes(kind);

/** The variables that `deploy` sets for compose: the generations that the services use. */
export const GENERATION_VARIABLE = "HEPHAESTUS_GENERATION";
export const MACHINE_VARIABLE = "HEPHAESTUS_MACHINE_GENERATION";
export const STORAGE_VARIABLE = "HEPHAESTUS_S3_GENERATION";
export const GIVEN_VARIABLES: Readonly<Record<GivenSecret, string>> = {
  "mirror-logins": "HEPHAESTUS_MIRROR_GENERATION",
  "notification-headers": "HEPHAESTUS_NOTIFICATION_GENERATION",
};

export const isGivenSecret = (kind: SecretKind): kind is GivenSecret =>
  (GIVEN_SECRETS as readonly string[]).includes(kind);

/** Generations that belong together: that of the htpasswd, and that of the machine accounts. */
export interface Generations {
  people: number;
  machines: number;
  /** That of the keys of the S3 storage; undefined where the images are in a folder. */
  storage?: number | undefined;
  /** Those of the secrets that people give; undefined where the stack has none. */
  given?: Partial<Record<GivenSecret, number | undefined>> | undefined;
}

/** Name of a secret in the Swarm. */
export function secretName(stack: string, kind: SecretKind, generation: number | string): string {
  return `${stack}_${kind}_${generation}`;
}

/** The generation in a secret's name, or undefined where the name is of another stack or kind. */
export function generationOf(stack: string, kind: SecretKind, name: string): number | undefined {
  const prefix = secretName(stack, kind, "");
  const number = name.startsWith(prefix) ? name.slice(prefix.length) : "";
  return /^[1-9]\d{0,8}$/.test(number) ? Number(number) : undefined;
}

/** The environment for compose. */
export const generationVariables = ({
  people,
  machines,
  storage,
  given = {},
}: Generations): Record<string, string> => ({
  [GENERATION_VARIABLE]: String(people),
  [MACHINE_VARIABLE]: String(machines),
  ...(storage === undefined ? {} : { [STORAGE_VARIABLE]: String(storage) }),
  ...Object.fromEntries(
    GIVEN_SECRETS.filter((kind) => given[kind] !== undefined).map((kind) => [
      GIVEN_VARIABLES[kind],
      String(given[kind]),
    ]),
  ),
});
