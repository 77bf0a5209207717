import type { Login, NewLogin } from "../credentials/userLogin.js";
import { isFinal } from "../docker/failures.js";
import type { Docker } from "../docker/run.js";
import type { Session } from "../session.js";
import { createConfig, NO_CONTENT } from "../swarm/configs.js";
import { LABELS, type SecretFacts } from "../swarm/secrets.js";
import { stackConfigNames } from "../swarm/stackConfigs.js";

/** Delivers a generated password: to a terminal, a pipe or a file. */
export type Deliver = (user: string, password: string) => Promise<void>;

/** What a run has written of the users. */
interface NewUsers {
  change: { login?: NewLogin | undefined } | undefined;
  generations: { users: number };
}

/** The login whose password somebody has to be shown, since it was generated. */
export const toHandOver = ({ change }: Pick<NewUsers, "change">): Login | undefined =>
  change?.login?.origin === "generated" ? change.login : undefined;

/**
 * Delivers a generated password once, and marks that as done. What is marked counts: without it the next run
 * goes back to the generation before, so the mark is set also after an interruption. It is not set if nobody
 * waited for the rollout: Swarm may still go back, and then the password that was shown is wrong.
 *
 * @returns whether there was one
 * @throws OperatorError before it is delivered when the lock was lost
 */
export async function handOver(
  { config, cleanupDocker, options, reporter }: Session,
  plan: NewUsers,
  deliver: Deliver,
): Promise<boolean> {
  const login = toHandOver(plan);
  if (login === undefined) return false;
  // Who lost the lock does not know which password is valid now.
  await cleanupDocker.guard?.();
  await deliver(login.user, login.password.reveal());
  if (options.wait) await markHandedOver(cleanupDocker, config.stack, plan.generations.users);
  else
    reporter.note(
      "warning",
      `the rollout was not waited for, so nothing shows that the new password of ${login.user} works\n    Set one that is tested: hephaestus rotate-password --user ${login.user}`,
    );
  return true;
}

/** Name of the marker that the generated password of a generation was shown to a user. */
export const handoverName = (stack: string, generation: number | string): string =>
  `${stack}_handed-over_${generation}`;

/** One failure of the engine must not cost a password that was shown, so creating the marker is retried. */
async function markHandedOver(docker: Docker, stack: string, generation: number): Promise<void> {
  const marker = { labels: { [LABELS.stack]: stack }, content: NO_CONTENT };
  for (let tries = 0; tries < 3; tries++) {
    try {
      await createConfig(docker, { name: handoverName(stack, generation), ...marker });
      return;
    } catch (error) {
      if (isFinal(error)) throw error;
    }
  }
}

export async function wasHandedOver(docker: Docker, stack: string, generation: number): Promise<boolean> {
  const name = handoverName(stack, generation);
  return (await stackConfigNames(docker, stack, name)).includes(name);
}

/**
 * Users of a generation whose generated passwords nobody was shown, as far as the Swarm can tell. The marker
 * of a generation counts for the password that this generation brought, and not for those that it took over
 * from the one before.
 */
export async function unseenUsers(
  docker: Docker,
  stack: string,
  facts: Pick<SecretFacts, "generation" | "generated"> | undefined,
): Promise<string[]> {
  const made = [...(facts?.generated ?? [])];
  const isOwn = (number: number) => number === facts?.generation;
  const isShown =
    made.some(([, number]) => isOwn(number)) && (await wasHandedOver(docker, stack, facts?.generation ?? 0));
  return made.filter(([, number]) => !(isOwn(number) && isShown)).map(([user]) => user);
}

/** Names of the markers of other generations than the given ones. */
export async function oldMarkers(docker: Docker, stack: string, keep: readonly number[]): Promise<string[]> {
  const kept = keep.map((generation) => handoverName(stack, generation));
  const names = await stackConfigNames(docker, stack, handoverName(stack, ""));
  return names.filter((name) => !kept.includes(name));
}
