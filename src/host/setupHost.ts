import { execa } from "execa";
import { type Config, setupArguments, storageFolder, storagePlace } from "../config/resolve.js";
import { childEnvironment } from "../docker/childEnvironment.js";
import { ExitCode, OperatorError } from "../errors.js";
import { packageFile } from "../packageFiles.js";

export interface HostResult {
  ready: boolean;
  /** The script's own lines. */
  output: string;
}

/** The text of the script. */
export const loadSetupScript = (): string => packageFile("ops-scripts/setup_host.sh");

/** The script's arguments for a config whose images are in a folder or a volume. */
export function setupHostArguments(config: Config, checkOnly: boolean): string[] {
  const { user } = config.registry;
  return [...setupArguments(storageFolder(config) ?? ""), "--owner", user, ...(checkOnly ? ["--check"] : [])];
}

/**
 * Runs ops-scripts/setup_host.sh on the node that holds the storage; it is safe to run again.
 *
 * @param host user@host for ssh, undefined for this machine
 * @param checkOnly look, and change nothing
 * @throws OperatorError with the script's last line when the node cannot be prepared
 */
export async function setupHost(
  config: Config,
  host: string | undefined,
  checkOnly: boolean,
): Promise<HostResult> {
  const args = setupHostArguments(config, checkOnly);
  const [command, ...rest] =
    host === undefined
      ? ["sh", "-s", "--", ...args]
      : [
          "ssh",
          "-o",
          "BatchMode=yes",
          "--",
          sshDestination(host),
          `sh -s -- ${args.map(shellQuote).join(" ")}`,
        ];
  const result = await execa(command as string, rest, {
    env: childEnvironment(),
    extendEnv: false,
    reject: false,
    input: loadSetupScript(),
    all: true,
  });
  const output = (result.all ?? "").trim();
  if (result.exitCode === 0) return { ready: true, output };
  if (checkOnly && result.exitCode === ExitCode.preflight) return { ready: false, output };
  throw new OperatorError(
    output.split("\n").slice(-3).join("\n") || `${command} did not start (${result.code})`,
    {
      where: host ?? "this machine",
      remedy: host
        ? `See that this works: ssh ${host} true. To prepare ${storagePlace(config)} needs root once.`
        : `Run once as root: ${shellLine(["sh", "ops-scripts/setup_host.sh", ...setupHostArguments(config, false)])}`,
      exitCode: ExitCode.preflight,
    },
  );
}

/** What ssh takes: [user@]host, or a URI, which alone can hold a port (ssh(1)). */
export const sshDestination = (host: string): string => (/^[^/:]+:\d+$/.test(host) ? `ssh://${host}` : host);

/** One word of a POSIX shell. */
const shellQuote = (word: string): string =>
  /^[\w./:@=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;

const shellLine = (words: readonly string[]): string => words.map(shellQuote).join(" ");
