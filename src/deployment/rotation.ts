import { ExitCode, OperatorError } from "../errors.js";
import { verifyFrontDoor } from "../frontdoor/verify.js";
import { COMPOSE_FILE } from "../render/files.js";
import type { Docker } from "../swarm/docker.js";
import { markHandedOver } from "../swarm/leftovers.js";
import { stackSecrets } from "../swarm/secrets.js";
import { engineTime, startDeploy, waitForConvergence } from "../swarm/stack.js";
import { type DeployContext, runSteps, type Step } from "./context.js";
import { underLock } from "./deploy.js";
import { readGenerationState } from "./generations.js";
import { recordStep } from "./history.js";
import { PLAN_STEPS } from "./plan.js";
import { preflight } from "./preflight.js";
import { cleanUp, describe, rollOut } from "./rollout.js";
import { createSecrets, discardChange, verify } from "./steps.js";

/** Hands a generated password to who asked for it: a terminal, a pipe, a file. */
export type HandOver = (user: string, password: string) => Promise<void>;

/** Whether the front door answers at all: what cannot be proved afterwards is not begun. */
const frontDoor: Step = {
  id: "front-door",
  title: "Front door before",
  skip: ({ options }) => (options.verify ? undefined : "not asked for"),
  async run({ config }) {
    const faults = (await verifyFrontDoor(config, {}, 0)).filter(({ fault }) => fault !== undefined);
    if (faults.length === 0) return "answers";
    throw new OperatorError(faults.map(({ title, fault }) => `${title}: ${fault}`).join("\n"), {
      where: "front door",
      remedy: "Nothing was changed. Mend this first, or leave the check out with --no-verify.",
      exitCode: ExitCode.verify,
    });
  },
};

/** What looks before anything is touched. */
const LOOKING_STEPS: readonly Step[] = [preflight, frontDoor];

/** What makes the new htpasswd valid and proves it. Only the registry rolls; gateway, reader and library go on. */
const CHANGE_STEPS: readonly Step[] = [createSecrets, rollOut, verify];

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
  closing: [recordStep("rotate"), cleanUp],
});

/**
 * Changes the users: a new generation of the htpasswd, the registry rolled onto it, proved at the front door, handed
 * over, and the old one removed. If it fails before that, the stack goes back to the generation before.
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
  if (context.options.dryRun) return runSteps(PLAN_STEPS.slice(1), context);
  await underLock(context, cleanupDocker, async () => {
    try {
      await runSteps(changing, context);
    } catch (error) {
      throw await takeBack(context, error, cleanupDocker);
    }
    try {
      await runSteps(closing, context);
    } catch (error) {
      throw withRemedy(error, "The change itself is done and valid; the next run removes what is left over.");
    }
  });
}

/** Goes back to the generation before, and tells in the error which passwords are valid. */
async function takeBack(context: DeployContext, error: unknown, docker: Docker): Promise<unknown> {
  const { change, generations } = context;
  if (change?.previous === undefined) return error;
  const before = { ...generations, people: change.previous };
  const back: DeployContext = { ...context, docker };
  let outcome: string;
  try {
    if ((await generationInUse(back)) === generations.people) await restore({ ...back, generations: before });
    await discardChange(back);
    outcome = "The passwords from before are valid.";
  } catch {
    outcome =
      "Going back failed too, so the new or the old passwords are valid. Run the same command or hephaestus deploy again: it mends that and says which.";
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

async function generationInUse({ config, docker }: DeployContext): Promise<number | undefined> {
  const secrets = await stackSecrets(docker, config.stack);
  return (await readGenerationState(docker, config.stack, secrets)).inUse.people;
}

/** Deploys the older generation again. */
async function restore({ config, docker, options, generations, reporter }: DeployContext): Promise<void> {
  reporter.note("info", `Going back to generation ${generations.people}.`);
  const since = await engineTime(docker);
  await startDeploy(docker, config.stack, options.folder, COMPOSE_FILE, generations, options.resolveImage);
  const { state, verdicts } = await waitForConvergence(docker, config.stack, {
    goal: "forward",
    since,
    timeoutSeconds: options.timeoutSeconds,
    onProgress: (progress) => reporter.progress(describe(config.stack, progress)),
  });
  if (state !== "converged") throw new Error(describe(config.stack, verdicts));
}
