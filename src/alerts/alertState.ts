import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { z } from "zod";
import { writeFiles } from "../host/files.js";
import { readJson } from "../json.js";

/** Findings that were reported: their messages, by their keys. */
export type Reported = Map<string, string>;

const reportedSchema = z.record(z.string(), z.string());

/** Remembers what was reported. Without it everything counts as new. */
export interface AlertState {
  read(): Promise<Reported>;
  write(reported: Reported): Promise<void>;
}

/**
 * The state of a stack on this machine. It is no secret. Source of its place: XDG Base Directory Specification,
 * XDG_STATE_HOME; systemd.exec(5), STATE_DIRECTORY.
 */
export function alertState(
  stack: string,
  environment: Readonly<Record<string, string | undefined>>,
): AlertState {
  const folder =
    environment.STATE_DIRECTORY ?? `${environment.XDG_STATE_HOME || `${homedir()}/.local/state`}/hephaestus`;
  const path = `alerts-${stack}.json`;
  return {
    // A file that was cut off or edited is as good as none.
    read: async () =>
      new Map(
        Object.entries(readJson(reportedSchema, await readFile(`${folder}/${path}`).catch(() => "")) ?? {}),
      ),
    write: (reported) =>
      writeFiles(
        folder,
        [{ path, text: `${JSON.stringify(Object.fromEntries(reported), null, 2)}\n` }],
        0o600,
      ),
  };
}
