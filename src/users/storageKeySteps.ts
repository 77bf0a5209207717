import { type SecretKind, STORAGE_SECRETS, secretName } from "../credentials/secretKinds.js";
import { type AccessKey, credentialsFile, storageVariables } from "../credentials/storageKeys.js";
import { secretNamesOf, stackServices } from "../docker/objects.js";
import { generationsOf, inUseOrNewest, stackSecrets, writeSecret } from "../docker/swarmSecrets.js";
import type { DeployContext, Step } from "../operation/context.js";
import type { PreflightFinding } from "../operation/findings.js";

/**
 * Chooses the generation of the storage's keys: the one in use, or a new one where the environment has other keys.
 *
 * @returns an error where keys are needed and there are none
 */
export async function chooseStorageKeys(context: DeployContext): Promise<PreflightFinding[]> {
  const { config, docker } = context;
  const { storage } = config.registry;
  if (storage.driver !== "s3") return [];
  const { stack } = config;
  const storageKeys = context.storageKeys();
  const kinds: readonly SecretKind[] = storage.readerKeys ? STORAGE_SECRETS : ["s3"];
  const secrets = await stackSecrets(docker, stack);
  const complete = generationsOf(secrets, "s3").filter((generation) =>
    kinds.every((kind) => generationsOf(secrets, kind).includes(generation)),
  );
  const kept = inUseOrNewest(stack, "s3", complete, secretNamesOf(await stackServices(docker, stack)));
  const isSame = (kind: SecretKind, key: AccessKey | undefined) =>
    key === undefined ||
    secrets.some(
      (secret) => secret.kind === kind && secret.generation === kept && secret.accessKey === key.id,
    );
  const isKept =
    kept !== undefined &&
    (!storageKeys || (isSame("s3", storageKeys.registry) && isSame("s3-reader", storageKeys.reader)));
  const newest = Math.max(0, ...STORAGE_SECRETS.flatMap((kind) => generationsOf(secrets, kind)));
  context.generations = { ...context.generations, storage: isKept ? kept : newest + 1 };
  if (isKept || storageKeys) return [];
  return [
    {
      severity: "error",
      message: "the keys of the S3 storage are not in the Swarm yet",
      remedy: `Set ${storageVariables(storage.readerKeys)}.`,
    },
  ];
}

/** Creates the secrets of the keys; what exists is kept. */
export const createStorageKeys: Step = {
  id: "storage-keys",
  title: "Storage keys",
  appliesTo: (config) => config.registry.storage.driver === "s3",
  async run({ config: { stack }, docker, storageKeys, generations: { storage: generation = 1 } }) {
    const present = new Set((await stackSecrets(docker, stack)).map(({ name }) => name));
    const read = storageKeys();
    const keys = [
      ["s3", read?.registry],
      ["s3-reader", read?.reader],
    ] as const;
    const created: string[] = [];
    for (const [kind, key] of keys) {
      const name = secretName(stack, kind, generation);
      if (key === undefined || present.has(name)) continue;
      const content = credentialsFile(key);
      await writeSecret(docker, stack, { kind, generation, origin: "given", content, accessKey: key.id });
      created.push(name);
    }
    return created.length === 0 ? `generation ${generation} kept` : `${created.join(", ")} created`;
  },
};
