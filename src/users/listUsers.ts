import { partHtpasswd } from "../credentials/generationState.js";
import { bcryptCost, type HtpasswdEntry } from "../credentials/htpasswd.js";
import { htpasswdFacts, stackSecrets } from "../docker/swarmSecrets.js";
import { ExitCode, OperatorError } from "../errors.js";
import type { DeployContext } from "../operation/context.js";
import { readEntries, readGenerationState } from "./generations.js";
import { keptGeneration } from "./keptGeneration.js";

export interface User {
  user: string;
  /** bcrypt's log2 of rounds. */
  cost: number;
  /** When the password last changed, if it was recorded. */
  changed: Date | undefined;
  /** The first day, in UTC, on which the user is refused: YYYY-MM-DD. */
  until: string | undefined;
  note: string | undefined;
}

/** People's lines of the htpasswd in the Swarm, and when each password last changed, if it was recorded. */
export interface People {
  people: HtpasswdEntry[];
  changed: ReadonlyMap<string, Date>;
}

/**
 * The users as the Swarm has them.
 *
 * @throws OperatorError when the stack has none yet, or they cannot be read back
 */
export async function readUsers(context: DeployContext): Promise<User[]> {
  const found = await readPeople(context);
  if (found === undefined) {
    throw new OperatorError("has no users yet", {
      where: context.config.stack,
      remedy: "Deploy it first: hephaestus deploy",
      exitCode: ExitCode.preflight,
    });
  }
  return found.people.map((entry) => ({
    user: entry.user,
    cost: bcryptCost(entry),
    changed: found.changed.get(entry.user),
    until: entry.until,
    note: entry.note,
  }));
}

/**
 * Reads the people back; machine accounts are left out.
 *
 * @returns undefined where the stack has no users yet
 * @throws OperatorError when they cannot be read back
 */
export async function readPeople({ docker, config }: DeployContext): Promise<People | undefined> {
  const { stack } = config;
  const secrets = await stackSecrets(docker, stack);
  const state = await readGenerationState({ docker, config }, secrets);
  const kept = await keptGeneration(docker, stack, state, secrets);
  if (kept === undefined) return undefined;
  const { generation } = kept;
  return {
    people: partHtpasswd(await readEntries(docker, config, generation), undefined).people,
    changed: htpasswdFacts(secrets, generation)?.changed ?? new Map(),
  };
}
