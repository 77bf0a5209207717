import { ROLLOUT_SECONDS } from "../config/limits.js";
import { dockersOf } from "../docker/run.js";
import type { Session, SessionOptions } from "../operation/stackSession.js";
import { chooseReporter } from "../terminal/chooseReporter.js";
import { interruptionSignal } from "../terminal/interruption.js";
import type { Reporter } from "../terminal/reporter.js";
import { type Rendered, readAndRender } from "./render.js";

/** Options of every command that works on the stack in the Swarm. */
export interface SessionFlags {
  config: string;
  output?: string;
  context?: string;
  timeout?: number;
  verify?: boolean;
  dryRun?: boolean;
  json?: boolean;
  quiet?: boolean;
  verbose?: boolean;
}

/** What only a deploy is told. */
type DeployOptions = Pick<SessionOptions, "wait" | "resolveImage" | "host" | "hostSetup">;

/** Of a command that is no deploy: images stay as they are, and the host too. */
const LEAVE_ALONE = { wait: true, resolveImage: "changed", host: undefined, hostSetup: false } as const;

/** With --verbose: what notes each docker command and each request to the engine. */
export const commandNotes = ({ verbose }: Pick<SessionFlags, "verbose">, reporter: Reporter) =>
  verbose ? (shown: string) => reporter.note("info", shown) : undefined;

/** Reads the config and opens the way to Docker; touches nothing. */
export async function openSession(
  flags: SessionFlags,
  options: DeployOptions = LEAVE_ALONE,
): Promise<Session> {
  return sessionOf(flags, await readAndRender(flags.config, flags.output), options);
}

/** The same, with a config that is known. */
export async function sessionOf(
  flags: SessionFlags,
  { config, folder, files }: Pick<Rendered, "config" | "folder" | "files">,
  options: DeployOptions = LEAVE_ALONE,
): Promise<Session> {
  const reporter = await chooseReporter(flags);
  const onCommand = commandNotes(flags, reporter);
  const signal = interruptionSignal();
  return {
    config,
    files,
    ...dockersOf({ context: flags.context, onCommand, signal }),
    signal,
    reporter,
    environment: process.env,
    options: {
      ...options,
      folder,
      timeoutSeconds: flags.timeout ?? ROLLOUT_SECONDS,
      verify: flags.verify ?? true,
      dryRun: flags.dryRun ?? false,
    },
  };
}
