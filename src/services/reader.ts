import { type Config, readsFiles } from "../config/resolve.js";
import { fill } from "../render/fill.js";
import { REGISTRY_PORT } from "./addresses.js";
import type { Service } from "./composeModel.js";
import { storageCheck } from "./parts.js";
import { CONFIG_PATHS, registryParts, registryValues } from "./registry.js";
import type { StackService } from "./stackService.js";
import { type StorageParts, storageParts } from "./storageParts.js";

/** A blob that no registry has. The reader reads one small object of the bucket to find that out. */
const NO_BLOB = `/v2/hephaestus-probe/blobs/sha256:${"0".repeat(64)}`;

/**
 * The service `reader`: the same registry on the same storage, mounted read-only, in read-only mode, without
 * authentication, on the stack's own network alone. The registry pays bcrypt for every request that carries a
 * password; what only reads comes here and pays nothing. A gateway that reads the files needs none.
 */
export function reader(config: Config): StackService | undefined {
  if (readsFiles(config)) return undefined;
  return {
    service: service(config),
    files: ({ templates, header }) => ({
      reader: {
        path: "registry/reader.yml",
        text: fill(templates.reader, registryValues(config, templates, header)),
      },
    }),
  };
}

function service(config: Config): Service {
  const configPath = CONFIG_PATHS[config.registry.version];
  const storage = storageParts(config, true);
  return {
    ...registryParts(config, storage),
    entrypoint: ["registry", "serve", configPath],
    networks: [config.networks.internal],
    configs: [{ source: "reader", target: configPath }],
    ...(storage.secrets.length > 0 ? bucketParts(config, storage) : { volumes: storage.volumes }),
  };
}

/**
 * A reader that cannot read its bucket never counts as running, so a deploy with wrong keys breaks no pull.
 */
const bucketParts = (config: Config, { secrets }: StorageParts) => ({
  secrets,
  volumes: [{ type: "tmpfs", target: "/tmp", tmpfs: { size: 1024 * 1024 } } as const],
  healthcheck: storageCheck(
    config,
    `http://127.0.0.1:${REGISTRY_PORT}/`,
    `http://127.0.0.1:${REGISTRY_PORT}${NO_BLOB}`,
  ),
});
