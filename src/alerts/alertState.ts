import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { writeFiles } from "../host/files.js";

/** Findings that were reported: their messages, by their keys. */
export type Reported = Map<string, string>;

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
    read: async () => parse(await readFile(`${folder}/${path}`, "utf8").catch(() => "")),
    write: (reported) =>
      writeFiles(
        folder,
        [{ path, text: `${JSON.stringify(Object.fromEntries(reported), null, 2)}\n` }],
        0o600,
      ),
  };
}

/** A file that was cut off or edited is as good as none. */
function parse(text: string): Reported {
  try {
    const entries = Object.entries(JSON.parse(text) as Record<string, unknown>);
    return new Map(entries.filter((entry): entry is [string, string] => typeof entry[1] === "string"));
  } catch {
    return new Map();
  }
}
