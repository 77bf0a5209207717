import { Secret } from "../credentials/secret.js";
import { type MachineSecret, secretName } from "../credentials/secretKinds.js";
import type { Login } from "../credentials/userLogin.js";
import { keptMachines, readStackSecrets } from "../secrets/generations.js";
import { readSecretByService } from "../secrets/readSecret.js";
import type { Session } from "../session.js";

/**
 * The account of the admin UI, which every stack has: no rule of `access` keeps it from pulling, and it
 * cannot push.
 */
const KIND: MachineSecret = "ui";

/**
 * The account with which a command reads every repository, whoever runs it.
 *
 * @returns undefined where the stack has none, or its secret cannot be read back
 */
export async function readStackAccount({
  docker,
  config,
}: Pick<Session, "docker" | "config">): Promise<Login | undefined> {
  const { stack, gateway } = config;
  const found = await readStackSecrets(docker, stack);
  const generation = keptMachines(found, config);
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
