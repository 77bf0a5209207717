import { MIRROR_LOGINS_VARIABLE } from "../credentials/mirrorLogins.js";
import { MIRROR_LOGINS, secretName } from "../credentials/secretKinds.js";
import { secretNamesOf, stackServices } from "../docker/objects.js";
import { stackSecrets, writeSecret } from "../docker/swarmSecrets.js";
import type { DeployContext, Step } from "../operation/context.js";
import type { PreflightFinding } from "../operation/findings.js";
import { hasMirror } from "../stack/mirrorSources.js";
import { readSecretByService } from "./readSecret.js";

/** Whether the mirror of the config has logins at its sources. */
const needsLogins = ({ config }: DeployContext): boolean => hasMirror(config) && config.regsync.logins;

/**
 * Chooses the generation of the mirror's logins: the one in use, or a new one where the environment has other logins.
 *
 * @returns an error where logins are needed and there are none
 */
export async function chooseMirrorLogins(context: DeployContext): Promise<PreflightFinding[]> {
  if (!needsLogins(context)) return [];
  const { docker, config, mirrorLogins } = context;
  const { stack } = config;
  const generations = (await stackSecrets(docker, stack))
    .filter(({ kind }) => kind === MIRROR_LOGINS)
    .map(({ generation }) => generation)
    .sort((a, b) => a - b);
  const used = secretNamesOf(await stackServices(docker, stack));
  const kept =
    generations.find((generation) => used.includes(secretName(stack, MIRROR_LOGINS, generation))) ??
    generations.at(-1);
  const isKept = kept !== undefined && (mirrorLogins === undefined || (await isSame(context, kept)));
  const chosen = isKept ? kept : Math.max(0, ...generations) + 1;
  context.generations = { ...context.generations, mirrorLogins: chosen };
  if (isKept || mirrorLogins !== undefined) return [];
  return [
    {
      severity: "error",
      message: "the logins of the mirror are not in the Swarm yet",
      remedy: `Set ${MIRROR_LOGINS_VARIABLE} to a Docker config.json, or regsync.logins: false.`,
    },
  ];
}

/** Whether a generation holds the logins of the environment. Nothing about them is noted, so it is read back. */
async function isSame({ docker, config, mirrorLogins }: DeployContext, generation: number): Promise<boolean> {
  const name = secretName(config.stack, MIRROR_LOGINS, generation);
  const present = await readSecretByService(docker, config.stack, name, config.gateway.image);
  return present !== undefined && present.reveal().trim() === mirrorLogins?.reveal();
}

/** Creates the secret of the logins; what exists is kept. */
export const createMirrorLogins: Step = {
  id: "mirror-logins",
  title: "Mirror logins",
  skip: (context) => (needsLogins(context) ? undefined : "no mirror that logs in"),
  async run({ config: { stack }, docker, mirrorLogins, generations: { mirrorLogins: generation = 1 } }) {
    const name = secretName(stack, MIRROR_LOGINS, generation);
    const present = (await stackSecrets(docker, stack)).some((secret) => secret.name === name);
    if (present || mirrorLogins === undefined) return `generation ${generation} kept`;
    await writeSecret(docker, stack, {
      kind: MIRROR_LOGINS,
      generation,
      origin: "given",
      content: mirrorLogins,
    });
    return `${name} created`;
  },
};
