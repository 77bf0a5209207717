import { dockerCommand } from "../docker/run.js";
import { ExitCode, OperatorError } from "../errors.js";
import { runningConfig } from "../history/recordSteps.js";
import type { Session } from "../operation/stackSession.js";
import { openSession, type SessionFlags, sessionOf } from "./session.js";

export interface UserSessionFlags extends SessionFlags {
  /** Name of the stack, where hephaestus.yaml is not at hand. */
  stack?: string;
}

/**
 * Opens the way to a running stack. Its config is that of its history, so that an old checkout does no harm; hephaestus.yaml
 * counts where there is no record, and for what it says of passwords.
 *
 * @throws OperatorError when neither is there
 */
export async function openUserSession(flags: UserSessionFlags): Promise<Session> {
  const { stack } = flags;
  if (stack === undefined) {
    const session = await openSession(flags);
    const { config, docker } = session;
    const running = await runningConfig(docker, config.stack);
    return running === undefined
      ? session
      : { ...session, config: { ...running, credentials: config.credentials } };
  }
  const config = await runningConfig(dockerCommand({ context: flags.context }), stack);
  if (config) return sessionOf(flags, { config, folder: ".", files: [] });
  throw new OperatorError("has no record of its config in the Swarm", {
    where: stack,
    remedy: "Run this in the folder of its hephaestus.yaml, without --stack.",
    exitCode: ExitCode.preflight,
  });
}
