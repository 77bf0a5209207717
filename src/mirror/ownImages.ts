import type { Config } from "../config/resolve.js";
import { SELF } from "../config/schema/imageMirror.js";
import type { RegistryApi } from "../registry/registryApi.js";
import { mirrorSources } from "../services/mirrorSources.js";

/** The images of the stack, as repository and tag here, that the registry does not have. */
export async function missingOwnImages(config: Config, api: RegistryApi): Promise<string[]> {
  const missing: string[] = [];
  for (const { to, tags } of ownImages(config)) {
    for (const tag of tags) if ((await api.digestOf(to, tag)) === undefined) missing.push(`${to}:${tag}`);
  }
  return missing;
}

const ownImages = (config: Config) =>
  mirrorSources({ ...config, regsync: { ...config.regsync, self: "mirror" } }).filter(
    ({ name }) => name === SELF,
  );
