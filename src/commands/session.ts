import { dirname } from "node:path";
import { type Finding, formatFinding } from "../config/configFindings.js";
import { ROLLOUT_SECONDS } from "../config/limits.js";
import type { Config } from "../config/resolve.js";
import { dockerCommand, dockersOf } from "../docker/run.js";
import { ExitCode, OperatorError } from "../errors.js";
import { runningConfig } from "../history/recordSteps.js";
import { readConfig } from "../host/configFile.js";
import type { RenderedFile } from "../render/renderedFile.js";
import { loadTemplates } from "../render/templates.js";
import type { Session, SessionOptions } from "../session.js";
import { renderFiles } from "../stack.js";
import { chooseReporter } from "../terminal/chooseReporter.js";
import { interruptionSignal } from "../terminal/interruption.js";
import { say } from "../terminal/output.js";
import type { Reporter } from "../terminal/reporter.js";

export interface Rendered {
  config: Config;
  /** Findings of the config that stop nothing. */
  warnings: Finding[];
  /** Folder of the compose file. */
  folder: string;
  files: RenderedFile[];
}

/** Reads a config and renders it. */
export async function renderConfig(configFile: string, output?: string): Promise<Rendered> {
  const { config, warnings } = await readConfig(configFile);
  // The header names the file without its folder: the same config gives the same bytes wherever it lies.
  const source = configFile.replace(/^.*[/\\]/, "");
  return {
    config,
    warnings,
    folder: output ?? dirname(configFile),
    files: renderFiles(config, loadTemplates(), source),
  };
}

/** Reads a config and renders it; warnings go to standard error. */
export async function readAndRender(configFile: string, output?: string): Promise<Rendered> {
  const rendered = await renderConfig(configFile, output);
  for (const warning of rendered.warnings) say(formatFinding(warning));
  return rendered;
}

/** Options of every command that works on a stack. */
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
async function sessionOf(
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

export interface UserSessionFlags extends SessionFlags {
  /** Name of the stack, where hephaestus.yaml is not at hand. */
  stack?: string;
}

/**
 * Opens the way to a running stack. Its config is that of its history, so that an old checkout does no harm;
 * hephaestus.yaml counts where there is no record, and for what it says of passwords.
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
