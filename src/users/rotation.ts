import type { Docker } from "../docker/run.js";
import { OperatorError } from "../errors.js";
import { recordUsersStep } from "../history/recordSteps.js";
import { type DeployContext, runSteps, type Step } from "../operation/context.js";
import { reportFindings } from "../operation/findings.js";
import { markHandedOver, removeOldSecrets } from "../operation/leftovers.js";
import { frontDoor, verify } from "../registry/frontDoorSteps.js";
import { chooseGenerations } from "./generations.js";
import { swapBack, swapUsers } from "./htpasswdSwap.js";
import { createSecrets, discardChange, planSecrets } from "./secretSteps.js";
import { underLock } from "./underLock.js";

/** Delivers a generated password: to a terminal, a pipe or a file. */
export type HandOver = (user: string, password: string) => Promise<void>;

/** Reads the users and plans the change. The files on disk are not needed. */
const lookAtUsers: Step = {
  id: "preflight",
  title: "Users",
  async run(context) {
    const findings = await chooseGenerations(context);
    if (context.change?.newMachines) {
      findings.push({
        severity: "error",
        message: "the secrets of the machine accounts are incomplete",
        remedy: "Repair them first: hephaestus deploy",
      });
    }
    reportFindings(context, findings);
    return `generation ${context.change?.previous ?? context.generations.people} is in use`;
  },
};

/** Steps before anything is changed. */
const LOOKING_STEPS: readonly Step[] = [lookAtUsers, frontDoor];

/** Steps that make the new htpasswd valid and test it. Only the registry is updated; gateway, reader and library keep running. */
const CHANGE_STEPS: readonly Step[] = [createSecrets, swapUsers, verify];

/** Steps of a dry run. */
const DRY_STEPS: readonly Step[] = [
  planSecrets,
  {
    id: "rollout",
    title: "Registry",
    run: async ({ generations }) =>
      `would be rolled onto generation ${generations.people}; nothing else would change`,
  },
];

/** Removes the previous htpasswd, and leftovers of interrupted runs. */
const removeSuperseded: Step = {
  id: "clean-up",
  title: "Clean-up",
  async run({ config, docker, generations }) {
    const removed = await removeOldSecrets(docker, config.stack, generations);
    return removed.length === 0 ? "nothing left over" : `removed ${removed.join(", ")}`;
  },
};

const handOverStep = (handOver: HandOver, cleanupDocker: Docker): Step => ({
  id: "hand-over",
  title: "New password",
  skip: ({ change }) => (change?.origin === "generated" && change.login ? undefined : "given, not generated"),
  async run({ change, config, generations }) {
    const login = change?.login;
    if (!login) return "";
    await handOver(login.user, login.password.reveal());
    await markHandedOver(cleanupDocker, config.stack, generations.people);
    return "handed over";
  },
});

/** Every step of a rotation, in order. */
export const rotationSteps = (handOver: HandOver, cleanupDocker: Docker) => ({
  looking: LOOKING_STEPS,
  changing: [...CHANGE_STEPS, handOverStep(handOver, cleanupDocker)],
  closing: [recordUsersStep, removeSuperseded],
});

/**
 * Changes the users: creates a new generation of the htpasswd, updates the registry, tests it at the front door, delivers
 * the password, and removes the old generation. If it fails before that, the old generation is used again.
 *
 * @param cleanupDocker a docker that still works after an interruption
 * @throws OperatorError that says which passwords are valid
 */
export async function changeUsers(
  context: DeployContext,
  cleanupDocker: Docker,
  handOver: HandOver,
): Promise<void> {
  const { looking, changing, closing } = rotationSteps(handOver, cleanupDocker);
  await runSteps(looking, context);
  if (context.options.dryRun) return runSteps(DRY_STEPS, context);
  await underLock(context, cleanupDocker, async () => {
    try {
      await runSteps(changing, context);
    } catch (error) {
      throw await takeBack(context, error, cleanupDocker);
    }
    try {
      await runSteps(closing, context);
    } catch (error) {
      throw withRemedy(error, "The change is valid. The next run removes the leftovers.");
    }
  });
}

/** Restores the previous generation, and adds to the error which passwords are valid. */
async function takeBack(context: DeployContext, error: unknown, docker: Docker): Promise<unknown> {
  const { change } = context;
  if (change?.previous === undefined) return error;
  let outcome: string;
  try {
    await swapBack(context, docker, change.previous);
    await discardChange({ ...context, docker });
    outcome = "The old passwords are valid.";
  } catch {
    outcome =
      "The rollback failed too, so either the new or the old passwords are valid. Run the same command or hephaestus deploy again to repair it.";
  }
  return withRemedy(error, outcome);
}

/** The same error with a sentence before its remedy; what is no OperatorError stays a bug. */
function withRemedy(error: unknown, sentence: string): unknown {
  if (!(error instanceof OperatorError)) return error;
  const { message, where, remedy, exitCode } = error;
  return new OperatorError(message, {
    where,
    remedy: remedy ? `${sentence}\n${remedy}` : sentence,
    exitCode,
    cause: error,
  });
}
