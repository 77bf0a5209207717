import { randomBytes } from "node:crypto";
import { access, constants, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { execa } from "execa";
import { childEnvironment } from "../docker/run.js";
import { ExitCode, OperatorError } from "../errors.js";

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
  if ((await stat(file).catch(() => undefined))?.isDirectory())
    throw refuse(file, "is a folder", "Name a file in it.");
  const git = (args: readonly string[]) =>
    execa("git", ["-C", folder, ...args], {
      reject: false,
      env: childEnvironment() as Record<string, string>,
      extendEnv: false,
    });
  if ((await git(["rev-parse", "--is-inside-work-tree"])).exitCode !== 0) return;
  if ((await git(["check-ignore", "--quiet", basename(file)])).exitCode === 0) return;
  throw refuse(
    file,
    "git would commit it",
    `Add it to .gitignore first: echo ${basename(file)} >> ${join(folder, ".gitignore")}`,
  );
}

/** Writes a password to a file that only its owner can read (0600), complete or not at all. */
export async function writePasswordFile(file: string, password: string): Promise<void> {
  const temporary = join(dirname(file), `.${randomBytes(6).toString("hex")}.tmp`);
  try {
    await writeFile(temporary, `${password}\n`, { mode: 0o600, flag: "wx" });
    await rename(temporary, file);
  } catch (cause) {
    throw new OperatorError(`cannot be written (${(cause as NodeJS.ErrnoException).code})`, {
      where: file,
      remedy: "Check the folder's permissions and the space left.",
      exitCode: ExitCode.usage,
      cause,
    });
  } finally {
    await rm(temporary, { force: true });
  }
}
