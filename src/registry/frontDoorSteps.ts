import type { Config } from "../config/resolve.js";
import { secondsOf } from "../config/text.js";
import type { Login } from "../credentials/userLogin.js";
import { ExitCode, OperatorError } from "../errors.js";
import type { Session } from "../operation/stackSession.js";
import { inStep, skipped } from "../terminal/inStep.js";
import type { Reporter } from "../terminal/reporter.js";
import { AUTHELIA_REMEDIES } from "./autheliaAnswers.js";
import { verifyFrontDoor } from "./frontDoor.js";
import type { FrontDoorAnswer } from "./frontDoorQuestion.js";

/** How long the front door may need after the services have converged: Traefik may probe each task, too. */
const patienceSeconds = ({ swarm }: Config): number => 20 + 2 * secondsOf(swarm.probe);

/** The passwords of a run. */
interface Passwords {
  /** A login that has to work. */
  login: Login | undefined;
  /** What became of the users; undefined if they stay. */
  change: { former?: Login | undefined } | undefined;
}

/** Asks the registry and the UI through their front door. */
export const verify = (session: Session, { login, change }: Passwords): Promise<unknown> =>
  inStep(session.reporter, { id: "verify", title: "Front door" }, async () => {
    const { config, options, reporter, signal } = session;
    if (!options.wait || !options.verify) return skipped("not asked for");
    const logins = { login, former: change?.former };
    const answers = await verifyFrontDoor(config, logins, patienceSeconds(config), signal);
    requireNoFault(
      reporter,
      answers,
      "The services run. Fix this and run hephaestus deploy again, or skip the test with --no-verify.",
    );
    if (!login && !change)
      reporter.note("info", "The login was not checked: the password was kept and is not known to this run.");
    return answers.flatMap(({ title, fault }) => (fault === undefined ? [title] : [])).join(", ");
  });

/** Whether the front door answers at all: what cannot be proved afterwards is not begun. */
export const checkFrontDoor = ({ config, options, reporter, signal }: Session): Promise<unknown> =>
  inStep(reporter, { id: "front-door", title: "Front door before" }, async () => {
    if (!options.verify) return skipped("not asked for");
    requireNoFault(
      reporter,
      await verifyFrontDoor(config, {}, 0, signal),
      "Nothing was changed. Fix this first, or skip the test with --no-verify.",
    );
    return "answers";
  });

/**
 * Warns of the faults of Authelia, and of a library that finds its registry again within minutes: the operation neither made nor
 * mends them.
 *
 * @throws OperatorError with all other faults, where there are some
 */
function requireNoFault(reporter: Reporter, answers: readonly FrontDoorAnswer[], remedy: string): void {
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
