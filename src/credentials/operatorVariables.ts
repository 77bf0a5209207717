import { z } from "zod";
import { ExitCode, OperatorError } from "../errors.js";
import { parseJson } from "../json.js";
import { Secret } from "./secret.js";
import type { StorageSecret } from "./secretKinds.js";

/** Secrets that the operator gives in variables of the environment. What is in a variable is never shown. */

type Environment = Readonly<Record<string, string | undefined>>;

const refuse = (message: string, where: string, remedy: string) =>
  new OperatorError(message, { where, remedy, exitCode: ExitCode.credentials });

/** A variable with JSON in it. */
interface JsonVariable<T> {
  name: string;
  schema: z.ZodType<T>;
  /** The key of the config that it belongs to. */
  where: string;
  remedy: string;
}

/**
 * What a variable holds.
 *
 * @returns undefined if it is not set
 * @throws OperatorError if it holds something else than its schema says
 */
function fromJson<T>(
  environment: Environment,
  { name, schema, where, remedy }: JsonVariable<T>,
): T | undefined {
  const text = environment[name];
  if (!text) return undefined;
  try {
    return parseJson(schema, text);
  } catch (error) {
    throw refuse(`${name} ${(error as TypeError).message}`, where, remedy);
  }
}

const word = z.string().optional().catch(undefined);

/** USER:PASSWORD of an entry. A credential store keeps the password elsewhere. */
const login = z
  .object({ auth: word, username: word, password: word }, "has no user and password")
  .transform(({ auth = "", username, password }) =>
    username !== undefined && password !== undefined
      ? `${username}:${password}`
      : Buffer.from(auth, "base64").toString(),
  )
  .pipe(z.string().regex(/^[^:]+:./s, "has no user and password"));

/**
 * The logins at registries that the mirror copies from, as a Docker config.json. Source: docker/cli,
 * cli/config/configfile.
 */
export const MIRROR_LOGINS = {
  name: "REGISTRY_MIRROR_LOGINS",
  schema: z.object(
    {
      auths: z
        .record(z.string(), login, "has no auths")
        .refine((auths) => Object.keys(auths).length > 0, "has no logins"),
    },
    "has no auths",
  ),
  where: "regsync.logins",
  remedy:
    'Set it to a Docker config.json with the passwords in it: {"auths":{"https://index.docker.io/v1/":{"auth":"<base64 of USER:PASSWORD>"}}}',
};

/** The logins from the environment, with everything but the logins left out. */
export function mirrorLoginsFrom(environment: Environment): Secret | undefined {
  const config = fromJson(environment, MIRROR_LOGINS);
  if (config === undefined) return undefined;
  const auths = Object.entries(config.auths)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([registry, text]) => [registry, { auth: Buffer.from(text).toString("base64") }] as const);
  return new Secret(JSON.stringify({ auths: Object.fromEntries(auths) }));
}

/** The headers of each receiver of notifications, by its name. Source: RFC 9110, 5.1 and 5.5. */
export const NOTIFICATION_HEADERS = {
  name: "REGISTRY_NOTIFICATION_HEADERS",
  schema: z.record(
    z.string(),
    z
      .record(z.string(), z.unknown(), "has no headers")
      // First, and without the name: it may be a secret in the wrong place.
      .refine(
        (headers) => Object.keys(headers).every((name) => /^[!#$%&'*+.^_`|~\w-]{1,100}$/.test(name)),
        "has a header whose name HTTP does not allow",
      )
      .pipe(
        z.record(
          z.string(),
          z.custom<string>(
            (value) => typeof value === "string" && /^[\x20-\x7e]{0,4096}$/.test(value),
            "is a value that HTTP does not allow",
          ),
        ),
      ),
    "has no receivers",
  ),
  where: "notifications",
  remedy: 'Set it to the headers of each receiver by its name: {"ci":{"Authorization":"Bearer <token>"}}',
};

export function notificationHeadersFrom(environment: Environment): Secret | undefined {
  const receivers = fromJson(environment, NOTIFICATION_HEADERS);
  return receivers && new Secret(JSON.stringify(receivers));
}

const KEYS = {
  s3: ["REGISTRY_S3_ACCESS_KEY_ID", "REGISTRY_S3_SECRET_ACCESS_KEY"],
  "s3-reader": ["REGISTRY_S3_READER_ACCESS_KEY_ID", "REGISTRY_S3_READER_SECRET_ACCESS_KEY"],
} as const satisfies Record<StorageSecret, readonly [string, string]>;

/** The variables that have to be set, for messages. */
export const storageVariables = (kinds: readonly StorageSecret[]): string =>
  kinds.flatMap((kind) => KEYS[kind]).join(", ");

/**
 * The keys of the registry, and those of the reader if it has its own, each as the file that the AWS SDK
 * reads.
 *
 * @returns nothing if none is set
 * @throws OperatorError if one of them is missing or cannot be a key
 */
export function storageKeysFrom(
  environment: Environment,
  kinds: readonly StorageSecret[],
): Partial<Record<StorageSecret, Secret>> {
  const files = kinds.flatMap((kind) => {
    const file = keyFile(environment, KEYS[kind]);
    return file === undefined ? [] : [[kind, file] as const];
  });
  if (files.length === 0 || files.length === kinds.length) return Object.fromEntries(files);
  throw refuse(
    "some keys of the S3 storage are missing",
    "registry.storage",
    `Set ${storageVariables(kinds)}.`,
  );
}

/** Source: AWS SDK reference, "Shared config and credentials files". */
function keyFile(
  environment: Environment,
  [idName, secretName]: readonly [string, string],
): Secret | undefined {
  const fault = (message: string, remedy: string) => refuse(message, "registry.storage", remedy);
  const [id, secret] = [environment[idName], environment[secretName]];
  if (!id && !secret) return undefined;
  if (!id || !secret)
    throw fault(`${id ? secretName : idName} is not set`, `Set ${idName} and ${secretName} together.`);
  if (!/^[\x21-\x7e]{1,128}$/.test(id)) throw fault(`${idName} is no access key`, "Copy it again.");
  if (!/^[\x21-\x7e]{1,512}$/.test(secret)) throw fault(`${secretName} is no secret key`, "Copy it again.");
  return new Secret(`[default]\naws_access_key_id = ${id}\naws_secret_access_key = ${secret}\n`);
}
