import { type Config, publicUrls } from "../config/resolve.js";
import { SELF } from "../config/schema/imageMirror.js";
import { OperatorError } from "../errors.js";
import type { Problem } from "../operation/findings.js";
import type { RegistryApi } from "../registry/registryApi.js";
import { stackRegistry } from "../registry/stackRegistry.js";
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

/** What could prevent a deploy that takes the stack's images from the stack's own registry. */
export async function judgeOwnImages(config: Config, signal: AbortSignal): Promise<Problem[]> {
  if (config.regsync.self !== "use") return [];
  const { registry } = publicUrls(config);
  let missing: string[];
  try {
    missing = await missingOwnImages(config, stackRegistry({ config, signal }, undefined));
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    return [
      {
        severity: "warning",
        message: `${registry} cannot be asked for the stack's images: ${error.message}`,
        remedy:
          "Nodes that have them need no registry. For a node that does not: hephaestus mirror self, render and deploy.",
      },
    ];
  }
  if (missing.length === 0) return [];
  return [
    {
      severity: "error",
      message: `${missing.join(", ")}: not in ${registry}, from which regsync.self takes the stack's images`,
      remedy:
        "Copy them first: hephaestus mirror run self. Or use the original images again: hephaestus mirror self",
    },
  ];
}
