import type { Config } from "../config/resolve.js";
import { secondsOf } from "../config/text.js";
import { ExitCode, OperatorError } from "../errors.js";
import type { DeployContext, Step } from "../operation/context.js";
import { AUTHELIA_REMEDIES } from "./autheliaAnswers.js";
import { type FrontDoorAnswer, verifyFrontDoor } from "./frontDoor.js";

/** How long the front door may need after the services have converged: Traefik may probe each task, too. */
const patienceSeconds = ({ swarm }: Config): number => 20 + 2 * secondsOf(swarm.probe);

/** Asks the registry and the UI through their front door. */
export const verify: Step = {
  id: "verify",
  title: "Front door",
  skip: ({ options }) => (options.wait && options.verify ? undefined : "not asked for"),
  async run(context) {
    const { config, given, change, reporter, signal } = context;
    const login = change ? change.login : given;
    const logins = { login, former: change?.former };
    const answers = await verifyFrontDoor(config, logins, patienceSeconds(config), signal);
    requireNoFault(
      context,
      answers,
      "The services run. Fix this and run hephaestus deploy again, or skip the test with --no-verify.",
    );
    if (!login && !change)
      reporter.note("info", "The login was not checked: the password was kept and is not known to this run.");
    return answers.flatMap(({ title, fault }) => (fault === undefined ? [title] : [])).join(", ");
  },
};

/** Whether the front door answers at all: what cannot be proved afterwards is not begun. */
export const frontDoor: Step = {
  id: "front-door",
  title: "Front door before",
  skip: ({ options }) => (options.verify ? undefined : "not asked for"),
  async run(context) {
    const { config, signal } = context;
    requireNoFault(
      context,
      await verifyFrontDoor(config, {}, 0, signal),
      "Nothing was changed. Fix this first, or skip the test with --no-verify.",
    );
    return "answers";
  },
};

/**
 * Warns of the faults of Authelia, and of a library that finds its registry again within minutes: the operation neither made nor
 * mends them.
 *
 * @throws OperatorError with all other faults, where there are some
 */
function requireNoFault(
  { reporter }: DeployContext,
  answers: readonly FrontDoorAnswer[],
  remedy: string,
): void {
  const faults: FrontDoorAnswer[] = [];
  for (const answer of answers) {
    const { title, fault, authelia } = answer;
    if (authelia) reporter.note("warning", `${title}: ${fault}\n    ${AUTHELIA_REMEDIES[authelia]}`);
    else if (fault !== undefined && answer.id === "library-catalog")
      reporter.note("warning", `${title}: ${fault}`);
    else if (fault !== undefined) faults.push(answer);
  }
  if (faults.length === 0) return;
  throw new OperatorError(faults.map(({ title, fault }) => `${title}: ${fault}`).join("\n"), {
    where: "front door",
    remedy,
    exitCode: ExitCode.verify,
  });
}
