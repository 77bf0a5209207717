import { ExitCode, OperatorError } from "../errors.js";
import { Secret } from "./secret.js";

/** An access key of an S3 storage. */
export interface AccessKey {
  /** Its id, which is no secret. */
  id: string;
  secret: Secret;
}

/** The keys of the registry, and those of the reader where it has its own. */
export interface StorageKeys {
  registry: AccessKey;
  reader: AccessKey | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

const VARIABLES = {
  registry: ["REGISTRY_S3_ACCESS_KEY_ID", "REGISTRY_S3_SECRET_ACCESS_KEY"],
  reader: ["REGISTRY_S3_READER_ACCESS_KEY_ID", "REGISTRY_S3_READER_SECRET_ACCESS_KEY"],
} as const;

/** The variables that have to be set, for messages. */
export const storageVariables = (readerKeys: boolean): string =>
  [...VARIABLES.registry, ...(readerKeys ? VARIABLES.reader : [])].join(", ");

/**
 * The keys from the environment.
 *
 * @param readerKeys whether the reader has keys of its own
 * @returns undefined where none is set
 * @throws OperatorError when one of them is missing or cannot be a key
 */
export function storageKeysFrom(environment: Environment, readerKeys: boolean): StorageKeys | undefined {
  const registry = keyOf(environment, VARIABLES.registry);
  const reader = readerKeys ? keyOf(environment, VARIABLES.reader) : undefined;
  if (registry === undefined && reader === undefined) return undefined;
  if (registry === undefined || (readerKeys && reader === undefined))
    throw refuse("some keys of the S3 storage are missing", `Set ${storageVariables(readerKeys)}.`);
  return { registry, reader };
}

function keyOf(
  environment: Environment,
  [idName, secretName]: readonly [string, string],
): AccessKey | undefined {
  const [id, secret] = [environment[idName], environment[secretName]];
  if (!id && !secret) return undefined;
  if (!id || !secret)
    throw refuse(`${id ? secretName : idName} is not set`, `Set ${idName} and ${secretName} together.`);
  if (!/^[\x21-\x7e]{1,128}$/.test(id)) throw refuse(`${idName} is no access key`, "Copy it again.");
  if (!/^[\x21-\x7e]{1,512}$/.test(secret)) throw refuse(`${secretName} is no secret key`, "Copy it again.");
  return { id, secret: new Secret(secret) };
}

/** The file that the AWS SDK reads. Source: AWS SDK reference, "Shared config and credentials files". */
export const credentialsFile = ({ id, secret }: AccessKey): Secret =>
  new Secret(`[default]\naws_access_key_id = ${id}\naws_secret_access_key = ${secret.reveal()}\n`);

const refuse = (message: string, remedy: string) =>
  new OperatorError(message, { where: "registry.storage", remedy, exitCode: ExitCode.credentials });
