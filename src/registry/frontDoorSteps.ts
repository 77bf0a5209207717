import { ExitCode, OperatorError } from "../errors.js";
import type { Step } from "../operation/context.js";
import { type FrontDoorAnswer, verifyFrontDoor } from "./frontDoor.js";

/** How long the front door may need after the services have converged. */
const PATIENCE_SECONDS = 30;

/** Asks the registry and the UI through their front door. */
export const verify: Step = {
  id: "verify",
  title: "Front door",
  skip: ({ options }) => (options.wait && options.verify ? undefined : "not asked for"),
  async run({ config, given, change, reporter, signal }) {
    const login = change ? change.login : given;
    const logins = { login, former: change?.former };
    const answers = await verifyFrontDoor(config, logins, PATIENCE_SECONDS, signal);
    requireNoFault(
      answers,
      "The services run. Fix this and run hephaestus deploy again, or skip the test with --no-verify.",
    );
    if (!login && !change)
      reporter.note("info", "The login was not checked: the password was kept and is not known to this run.");
    return answers.map(({ title }) => title).join(", ");
  },
};

/** Whether the front door answers at all: what cannot be proved afterwards is not begun. */
export const frontDoor: Step = {
  id: "front-door",
  title: "Front door before",
  skip: ({ options }) => (options.verify ? undefined : "not asked for"),
  async run({ config, signal }) {
    requireNoFault(
      await verifyFrontDoor(config, {}, 0, signal),
      "Nothing was changed. Fix this first, or skip the test with --no-verify.",
    );
    return "answers";
  },
};

/** @throws OperatorError with all faults, where there are some */
function requireNoFault(answers: readonly FrontDoorAnswer[], remedy: string): void {
  const faults = answers.filter(({ fault }) => fault !== undefined);
  if (faults.length === 0) return;
  throw new OperatorError(faults.map(({ title, fault }) => `${title}: ${fault}`).join("\n"), {
    where: "front door",
    remedy,
    exitCode: ExitCode.verify,
  });
}
