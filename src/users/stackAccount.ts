import { currentMachines } from "../credentials/generationState.js";
import type { Login } from "../credentials/people.js";
import { Secret } from "../credentials/secret.js";
import { type MachineSecret, secretName } from "../credentials/secretKinds.js";
import { stackSecrets } from "../docker/swarmSecrets.js";
import type { DeployContext } from "../operation/context.js";
import { readGenerationState } from "./generations.js";
import { readSecretByService } from "./readSecret.js";

/** The account of the admin UI, which every stack has: no rule of `access` keeps it from pulling, and it cannot push. */
const KIND: MachineSecret = "ui";

/**
 * The account with which a command reads every repository, whoever runs it.
 *
 * @returns undefined where the stack has none, or its secret cannot be read back
 */
export async function readStackAccount(
  context: Pick<DeployContext, "docker" | "config">,
): Promise<Login | undefined> {
  const {
    docker,
    config: { stack, gateway },
  } = context;
  const generation = currentMachines(await readGenerationState(context, await stackSecrets(docker, stack)));
  if (generation === undefined) return undefined;
  const name = secretName(stack, KIND, generation);
  const content = await readSecretByService(docker, stack, name, gateway.image);
  return content && loginOf(content);
}

/** Takes apart what stands in the secret: NAME=Basic <base64 of USER:PASSWORD>. */
function loginOf(content: Secret): Login | undefined {
  const encoded = /Basic ([A-Za-z0-9+/=]+)\s*$/.exec(content.reveal())?.[1] ?? "";
  const [, user, password] = /^([^:]+):(.+)$/.exec(Buffer.from(encoded, "base64").toString()) ?? [];
  return user && password ? { user, password: new Secret(password) } : undefined;
}
