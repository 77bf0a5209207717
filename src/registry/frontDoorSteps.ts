import { ExitCode, OperatorError } from "../errors.js";
import type { Step } from "../operation/context.js";
import { verifyFrontDoor } from "./frontDoor.js";

/** Asks the registry and the UI through their front door. */
export const verify: Step = {
  id: "verify",
  title: "Front door",
  skip: ({ options }) => (options.wait && options.verify ? undefined : "not asked for"),
  async run({ config, given, change, reporter, signal }) {
    const login = change ? change.login : given;
    const checks = await verifyFrontDoor(config, { login, former: change?.former }, PATIENCE_SECONDS, signal);
    const faults = checks.filter(({ fault }) => fault !== undefined);
    if (faults.length > 0) {
      throw new OperatorError(faults.map(({ title, fault }) => `${title}: ${fault}`).join("\n"), {
        where: "front door",
        remedy:
          "The services run. Fix this and run hephaestus deploy again, or skip the test with --no-verify.",
        exitCode: ExitCode.verify,
      });
    }
    if (!login && !change)
      reporter.note("info", "The login was not checked: the password was kept and is not known to this run.");
    return checks.map(({ title }) => title).join(", ");
  },
};

/** How long the front door may need after the services have converged. */
export const PATIENCE_SECONDS = 30;

/** Whether the front door answers at all: what cannot be proved afterwards is not begun. */
export const frontDoor: Step = {
  id: "front-door",
  title: "Front door before",
  skip: ({ options }) => (options.verify ? undefined : "not asked for"),
  async run({ config, signal }) {
    const faults = (await verifyFrontDoor(config, {}, 0, signal)).filter(({ fault }) => fault !== undefined);
    if (faults.length === 0) return "answers";
    throw new OperatorError(faults.map(({ title, fault }) => `${title}: ${fault}`).join("\n"), {
      where: "front door",
      remedy: "Nothing was changed. Fix this first, or skip the test with --no-verify.",
      exitCode: ExitCode.verify,
    });
  },
};
