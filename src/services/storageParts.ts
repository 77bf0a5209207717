import { type Config, isVolume, storageFolder } from "../config/resolve.js";
import type { StorageSecret } from "../credentials/secretKinds.js";
import type { SecretMount, Volume } from "./composeModel.js";
import { secretMount } from "./secretMounts.js";

/** Where the folder of the images is in the container. */
export const STORAGE = "/var/lib/registry";

/** The name in the compose file of the volume that holds the images. */
export const IMAGES_VOLUME = "images";

/** What a service needs to reach the images. */
export interface StorageParts {
  volumes: Volume[];
  secrets: SecretMount[];
  environment: Record<string, string>;
}

/**
 * The storage of a service: the folder or the volume as a mount, or the keys of the bucket as a file that the
 * AWS SDK reads.
 *
 * @param readOnly whether the service only reads
 */
export function storageParts(config: Config, readOnly: boolean): StorageParts {
  const { storage, user } = config.registry;
  const folder = storageFolder(config);
  if (folder !== undefined) {
    const mount: Volume = isVolume(folder)
      ? // An empty volume would get the owner of the folder in the image.
        { type: "volume", source: IMAGES_VOLUME, target: STORAGE, volume: { nocopy: true } }
      : { type: "bind", source: folder, target: STORAGE };
    return { volumes: [readOnly ? { ...mount, read_only: true } : mount], secrets: [], environment: {} };
  }
  const ownKeys = storage.driver === "s3" && storage.readerKeys && readOnly;
  const kind: StorageSecret = ownKeys ? "s3-reader" : "s3";
  return {
    volumes: [],
    secrets: [secretMount(kind, kind, user)],
    // Source: AWS SDK for Go, "Configuration": without static keys, the chain reads this file.
    environment: { AWS_SHARED_CREDENTIALS_FILE: `/run/secrets/${kind}`, AWS_EC2_METADATA_DISABLED: "true" },
  };
}
