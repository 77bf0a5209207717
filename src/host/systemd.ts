import { execa } from "execa";
import { childEnvironment } from "../docker/childEnvironment.js";
import { ExitCode, OperatorError } from "../errors.js";
import type { RenderedFile } from "../render/renderedFile.js";
import { writeFiles } from "./files.js";

/** Where the units of an administrator are. Source: systemd.unit(5). */
export const SYSTEMD_FOLDER = "/etc/systemd/system";

/**
 * Puts units onto this machine and starts their timers. Units of the same name are replaced.
 *
 * @param folder where units are
 * @throws OperatorError where this machine has no systemd, or its user may not do that
 */
export async function installUnits(units: readonly RenderedFile[], folder = SYSTEMD_FOLDER): Promise<void> {
  // Asked before anything is written.
  await systemctl(["--version"]);
  try {
    await writeFiles(folder, units);
  } catch (error) {
    throw new OperatorError(`cannot be written: ${(error as Error).message}`, {
      where: folder,
      remedy: "Run it as root, or print the units with --schedule and install them by hand.",
      exitCode: ExitCode.preflight,
      cause: error,
    });
  }
  await systemctl(["daemon-reload"]);
  const timers = units.map(({ path }) => path).filter((path) => path.endsWith(".timer"));
  await systemctl(["enable", "--now", ...timers]);
}

async function systemctl(args: readonly string[]): Promise<void> {
  const result = await execa("systemctl", args, {
    env: childEnvironment(),
    extendEnv: false,
    reject: false,
    stdin: "ignore",
    timeout: 60_000,
  });
  if (!result.failed) return;
  const isMissing = result.code === "ENOENT";
  throw new OperatorError(isMissing ? "this machine has no systemd" : result.stderr.trim() || "failed", {
    where: `systemctl ${args.join(" ")}`,
    remedy: isMissing
      ? "Run hephaestus maintain by another scheduler, such as cron or CI (hephaestus init --ci)."
      : "Run it as root, or print the units with --schedule and install them by hand.",
    exitCode: ExitCode.preflight,
    cause: result,
  });
}
