import type { Config } from "../config/resolve.js";
import { shownArguments } from "../credentials/secretNames.js";
import { type StorageKeys, storageKeysFrom } from "../credentials/storageKeys.js";
import { type Docker, dockerCommand } from "../docker/run.js";
import type { DeployContext, DeployOptions } from "../operation/context.js";
import { chooseReporter } from "../terminal/chooseReporter.js";
import { interruptionSignal } from "../terminal/interruption.js";
import type { Reporter } from "../terminal/reporter.js";
import { givenSecretFrom } from "../users/givenSecretSteps.js";
import { type Rendered, readAndRender } from "./render.js";

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
  /** Aborts on an interruption. */
  signal: AbortSignal;
}

/** Of a command that is no deploy: images stay as they are, and the host too. */
const LEAVE_ALONE = { wait: true, resolveImage: "changed", host: undefined, hostSetup: false } as const;

/** With --verbose: what notes each docker command, secrets masked. */
export const commandNotes = ({ verbose }: Pick<SessionFlags, "verbose">, reporter: Reporter) =>
  verbose
    ? (args: readonly string[]) => reporter.note("info", `docker ${shownArguments(args).join(" ")}`)
    : undefined;

/** Keys of an S3 storage that the environment has. */
const keysOf = ({ registry: { storage } }: Config): StorageKeys | undefined =>
  storage.driver === "s3" ? storageKeysFrom(process.env, storage.readerKeys) : undefined;

/** Reads the config and opens the way to Docker; touches nothing. */
export async function openSession(
  flags: SessionFlags,
  options: Pick<DeployOptions, "wait" | "resolveImage" | "host" | "hostSetup"> = LEAVE_ALONE,
): Promise<Session> {
  return sessionOf(flags, await readAndRender(flags.config, flags.output), options);
}

/** The same, with a config that is known. */
export async function sessionOf(
  flags: SessionFlags,
  { config, folder, files }: Pick<Rendered, "config" | "folder" | "files">,
  options: Pick<DeployOptions, "wait" | "resolveImage" | "host" | "hostSetup"> = LEAVE_ALONE,
): Promise<Session> {
  const reporter = await chooseReporter(flags);
  const onCommand = commandNotes(flags, reporter);
  const signal = interruptionSignal();
  const context: DeployContext = {
    config,
    files,
    docker: dockerCommand({ context: flags.context, onCommand, signal }),
    signal,
    reporter,
    options: {
      ...options,
      folder,
      timeoutSeconds: flags.timeout,
      verify: flags.verify,
      dryRun: flags.dryRun ?? false,
    },
    given: undefined,
    storageKeys: () => keysOf(config),
    givenSecret: (kind) => givenSecretFrom(kind, process.env),
    obtain: undefined,
    request: undefined,
    host: options.host,
    state: undefined,
    needsCredentials: false,
    users: [],
    generations: { people: 0, machines: 0 },
    change: undefined,
  };
  return {
    context,
    cleanupDocker: dockerCommand({ context: flags.context, onCommand }),
    signal,
  };
}
