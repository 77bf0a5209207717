import { access, constants, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { execa } from "execa";
import { childEnvironment } from "../docker/childEnvironment.js";
import { ExitCode, OperatorError } from "../errors.js";
import { absentAs, writeFiles } from "./files.js";

const refuse = (file: string, message: string, remedy: string) =>
  new OperatorError(message, { where: file, remedy, exitCode: ExitCode.usage });

/**
 * Sees that passwords, or their hashes, can be written to a file, before anything else happens.
 *
 * @throws OperatorError when it cannot, or when git would take the file into a commit
 */
export async function checkPrivateFile(file: string): Promise<void> {
  const folder = dirname(file);
  const writable = await access(folder, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!writable)
    throw refuse(file, "its folder is not there or not writable", "Name a file in a folder of yours.");
  if ((await stat(file).catch(absentAs(undefined)))?.isDirectory())
    throw refuse(file, "is a folder", "Name a file in it.");
  await checkNotCommitted(file);
}

/**
 * Sees that git does not take a file or a directory into a commit.
 *
 * @throws OperatorError when it would
 */
export async function checkNotCommitted(path: string): Promise<void> {
  const folder = dirname(path);
  const git = (args: readonly string[]) =>
    execa("git", ["-C", folder, ...args], {
      reject: false,
      env: childEnvironment(),
      extendEnv: false,
    });
  if ((await git(["rev-parse", "--is-inside-work-tree"])).exitCode !== 0) return;
  if ((await git(["check-ignore", "--quiet", basename(path)])).exitCode === 0) return;
  throw refuse(
    path,
    "git would commit it",
    `Add it to .gitignore first: echo ${basename(path)} >> ${join(folder, ".gitignore")}`,
  );
}

/**
 * Writes a password to a file that only its owner can read (0600), complete or not at all.
 *
 * @throws OperatorError when it cannot be written
 */
export const writePasswordFile = (file: string, password: string): Promise<void> =>
  writeFiles(dirname(file), [{ path: basename(file), text: `${password}\n` }], 0o600);
