import { partHtpasswd } from "../credentials/generation.js";
import { bcryptCost, parseHtpasswd } from "../credentials/htpasswd.js";
import { HTPASSWD, secretName } from "../credentials/names.js";
import { ExitCode, OperatorError } from "../errors.js";
import { readHtpasswd } from "../swarm/htpasswd.js";
import { htpasswdFacts, stackSecrets } from "../swarm/secrets.js";
import type { DeployContext } from "./context.js";
import { firstKnown, readGenerationState } from "./generations.js";

export interface User {
  user: string;
  /** bcrypt's log2 of rounds. */
  cost: number;
  /** When the password last changed, where somebody noted it. */
  changed: Date | undefined;
}

/**
 * The users as the Swarm has them.
 *
 * @throws OperatorError when the stack has none yet, or they cannot be read back
 */
export async function readUsers({ docker, config }: DeployContext): Promise<User[]> {
  const { stack, gateway } = config;
  const secrets = await stackSecrets(docker, stack);
  const generation = await firstKnown(
    docker,
    stack,
    await readGenerationState(docker, stack, secrets),
    secrets,
  );
  if (generation === undefined) {
    throw new OperatorError("has no users yet", {
      where: stack,
      remedy: "Deploy it first: hephaestus deploy",
      exitCode: ExitCode.preflight,
    });
  }
  const name = secretName(stack, HTPASSWD, generation);
  const entries = parseHtpasswd(await readHtpasswd(docker, stack, generation, gateway.image), name, true);
  const facts = htpasswdFacts(secrets, generation);
  return partHtpasswd(entries, undefined).people.map((entry) => ({
    user: entry.user,
    cost: bcryptCost(entry),
    changed: facts?.changed.get(entry.user),
  }));
}
