import { shownArguments } from "../credentials/secretNames.js";
import type { DeployContext, DeployOptions } from "../deployment/context.js";
import { type Docker, dockerCommand } from "../swarm/docker.js";
import { chooseReporter } from "../terminal/choose.js";
import { interruptionSignal } from "../terminal/interruption.js";
import { readAndRender } from "./render.js";

/** Options of every command that works on the stack in the Swarm. */
export interface SessionFlags {
  config: string;
  output?: string;
  context?: string;
  timeout: number;
  verify: boolean;
  dryRun?: boolean;
  json?: boolean;
  quiet?: boolean;
  verbose?: boolean;
}

export interface Session {
  context: DeployContext;
  /** A docker that still works after an interruption. */
  cleanupDocker: Docker;
}

/** Of a command that is no deploy: images stay as they are, and the host too. */
const LEAVE_ALONE = { wait: true, resolveImage: "changed", host: undefined, hostSetup: false } as const;

/** Reads the config and opens the way to Docker; touches nothing. */
export async function openSession(
  flags: SessionFlags,
  options: Pick<DeployOptions, "wait" | "resolveImage" | "host" | "hostSetup"> = LEAVE_ALONE,
): Promise<Session> {
  const { config, folder, files } = await readAndRender(flags.config, flags.output);
  const reporter = await chooseReporter(flags);
  const onCommand = flags.verbose
    ? (args: readonly string[]) => reporter.note("info", `docker ${shownArguments(args).join(" ")}`)
    : undefined;
  const context: DeployContext = {
    config,
    files,
    docker: dockerCommand({ context: flags.context, onCommand, signal: interruptionSignal() }),
    reporter,
    options: {
      ...options,
      folder,
      timeoutSeconds: flags.timeout,
      verify: flags.verify,
      dryRun: flags.dryRun ?? false,
    },
    given: undefined,
    obtain: undefined,
    request: undefined,
    host: options.host,
    state: undefined,
    needsCredentials: false,
    generations: { people: 0, machines: 0 },
    change: undefined,
  };
  return { context, cleanupDocker: dockerCommand({ context: flags.context, onCommand }) };
}
