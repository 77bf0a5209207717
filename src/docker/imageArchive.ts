import { execa } from "execa";
import { ExitCode, OperatorError } from "../errors.js";
import { childEnvironment } from "./run.js";

export interface ArchiveOptions {
  context?: string | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Writes images of the engine into an archive, as `docker save` does.
 *
 * @throws OperatorError where the engine lacks one
 */
export const saveImages = (
  images: readonly string[],
  file: string,
  options: ArchiveOptions,
): Promise<string> => docker(["save", "--output", file, ...images], {}, options);

/**
 * Gives the images of an archive to the engine.
 *
 * @param file an archive of `docker save`, or one that has its manifest.json
 * @returns what docker says about each
 */
export const loadImages = (file: string, options: ArchiveOptions): Promise<string> =>
  docker(["load"], { inputFile: file }, options);

async function docker(
  args: readonly string[],
  input: { inputFile?: string },
  { context, signal }: ArchiveOptions,
): Promise<string> {
  const all = [...(context === undefined ? [] : ["--context", context]), ...args];
  const result = await execa("docker", all, {
    env: childEnvironment() as Record<string, string>,
    extendEnv: false,
    reject: false,
    ...(input.inputFile === undefined ? { stdin: "ignore" as const } : input),
    ...(signal === undefined ? {} : { cancelSignal: signal }),
  });
  if (!result.failed) return result.stdout;
  throw new OperatorError(result.stderr.trim().split("\n").at(-1) || `docker ${args[0]} failed`, {
    where: `docker ${args[0]}`,
    remedy:
      args[0] === "save"
        ? "Pull the image first: docker pull"
        : "Check that the engine runs and has free space, then run the same command again.",
    exitCode: ExitCode.docker,
    cause: result,
  });
}
