import { readFile } from "node:fs/promises";
import { backupStack } from "../backup/backupStack.js";
import { ExitCode } from "../errors.js";
import { checkPrivateFile } from "../host/passwordFile.js";
import { bytesText, speedText } from "../terminal/progress.js";
import { openSession, type SessionFlags } from "./session.js";

export type BackupFlags = Omit<SessionFlags, "verify" | "timeout" | "output"> & { tool: string };

/** Backs up config, users and images into a file, or adds what is new to one. */
export async function backup(file: string, flags: BackupFlags): Promise<ExitCode> {
  const { context, ...session } = await openSession({ ...flags, verify: false, timeout: 0 });
  // It holds the hashes of passwords.
  await checkPrivateFile(file);
  const configText = await readFile(flags.config, "utf8");
  const { reporter } = context;
  const report = await backupStack(context, { file, configText, tool: flags.tool, ...session });
  const { damage, tags, images, blobs, bytes, read, seconds } = report;
  for (const sentence of damage) reporter.note("error", `damaged: ${sentence}`);
  reporter.result({ backup: file, ...report }, [
    `${file}: ${tags} tags, ${images} images, ${blobs} blobs, ${bytesText(bytes)}; read ${speedText(read.bytes, seconds)}`,
    ...(damage.length > 0
      ? ["Everything that is intact was backed up. Incomplete images were left out."]
      : [`Try it with: hephaestus restore ${file} --dry-run`]),
  ]);
  return damage.length > 0 ? ExitCode.verify : ExitCode.ok;
}
