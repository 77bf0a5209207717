import { text as readAll } from "node:stream/consumers";
import { publicUrls } from "../config/resolve.js";
import { Secret } from "../credentials/secret.js";
import type { Credentials, DeployContext, DeployOptions } from "../deployment/context.js";
import { deployStack } from "../deployment/deploy.js";
import { ExitCode } from "../errors.js";
import { dockerCommand } from "../swarm/docker.js";
import type { ResolveImage } from "../swarm/stack.js";
import { chooseReporter, isInteractive } from "../terminal/choose.js";
import { interruptionSignal } from "../terminal/interruption.js";
import {
  type CredentialSettings,
  credentialsFromEnvironment,
  fromPassword,
  generated,
  userName,
} from "./credentials.js";
import { readAndRender } from "./render.js";

export interface DeployFlags {
  config: string;
  output?: string;
  context?: string;
  host?: string;
  hostSetup: boolean;
  passwordStdin?: boolean;
  generatePassword?: boolean;
  timeout: number;
  wait: boolean;
  verify: boolean;
  dryRun?: boolean;
  resolveImage: ResolveImage;
  json?: boolean;
  verbose?: boolean;
}

/** Prepares the host, creates the secrets, deploys the stack, waits, and asks at the front door. */
export async function deploy(flags: DeployFlags): Promise<ExitCode> {
  const { config, folder, files } = await readAndRender(flags.config, flags.output);
  const given = flags.passwordStdin
    ? fromPassword(userName(config.credentials, process.env), await passwordFromStdin(), config.credentials)
    : credentialsFromEnvironment(config.credentials, process.env);

  const reporter = await chooseReporter(flags.json ?? false);
  const signal = interruptionSignal();
  const onCommand = flags.verbose
    ? (args: readonly string[]) => reporter.note("info", `docker ${args.join(" ")}`)
    : undefined;
  const options: DeployOptions = {
    folder,
    timeoutSeconds: flags.timeout,
    wait: flags.wait,
    verify: flags.verify,
    dryRun: flags.dryRun ?? false,
    resolveImage: flags.resolveImage,
    host: flags.host,
    hostSetup: flags.hostSetup,
  };
  const context: DeployContext = {
    config,
    files,
    docker: dockerCommand({ context: flags.context, onCommand, signal }),
    reporter,
    options,
    given,
    obtain: obtainer(flags, config.credentials),
    host: flags.host,
    needsCredentials: false,
    credentials: undefined,
    generation: 0,
  };
  await deployStack(context, dockerCommand({ context: flags.context, onCommand }));
  if (!options.dryRun) showResult(context);
  return ExitCode.ok;
}

/** How a password comes about when none was given: generated when asked for, else asked for on a terminal. */
function obtainer(
  flags: DeployFlags,
  settings: CredentialSettings,
): (() => Promise<Credentials>) | undefined {
  const user = userName(settings, process.env);
  if (flags.generatePassword) return async () => generated(user, settings);
  if (!isInteractive() || flags.json) return undefined;
  return async () => {
    const { askForPassword } = await import("../terminal/prompts.js");
    const answer = await askForPassword(`Password for ${user} (empty: generate one)`);
    return answer === "" ? generated(user, settings) : fromPassword(user, new Secret(answer), settings);
  };
}

/** The first line of standard input. */
async function passwordFromStdin(): Promise<Secret> {
  return new Secret((await readAll(process.stdin)).replace(/\r?\n$/, ""));
}

function showResult({ config, reporter, credentials, given }: DeployContext): void {
  const urls = publicUrls(config);
  const host = urls.registry.replace(/^https?:\/\//, "");
  const user = (credentials ?? given)?.user ?? config.credentials.username;
  reporter.result({ registry: urls.registry, ui: urls.ui ?? null, admin: urls.admin ?? null }, [
    "",
    `registry  ${urls.registry}`,
    ...(urls.ui ? [`library   ${urls.ui}`] : []),
    ...(urls.admin ? [`admin     ${urls.admin}`] : []),
    "",
    "Next:",
    `  docker login -u ${user} ${host}`,
    `  docker tag IMAGE ${host}/IMAGE && docker push ${host}/IMAGE`,
    `  docker pull ${host}/IMAGE`,
  ]);
}
