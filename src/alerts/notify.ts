import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { z } from "zod";
import type { Finding } from "../finding.js";
import { writeFiles } from "../host/files.js";
import { readJson } from "../json.js";
import type { AlertChannel } from "./alertChannels.js";

/** Findings that were reported: their messages, by their keys. */
type Reported = Map<string, string>;

const reportedSchema = z.record(z.string(), z.string());

/** Remembers what was reported. Without it everything counts as new. */
export interface AlertState {
  read(): Promise<Reported>;
  write(reported: Reported): Promise<void>;
}

/**
 * The state of a stack on this machine. It is no secret. Source of its place: XDG Base Directory
 * Specification, XDG_STATE_HOME; systemd.exec(5), STATE_DIRECTORY.
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

/**
 * What a finding is known by from one report to the next. Numbers do not count: 13 days become 12 while the
 * finding stays the same.
 */
export const keyOf = ({ code, message }: Pick<Finding, "code" | "message">): string =>
  `${code}: ${message.replace(/\d+(?:[.,]\d+)*/g, "#")}`;

/**
 * Reports findings that are new, and what is resolved, by every channel. They count as reported when all
 * channels took them: a channel that took them gets them again where another one failed.
 *
 * @param isComplete whether everything was checked; else nothing counts as resolved
 * @returns what was sent, in words
 * @throws OperatorError from the first channel that failed
 */
export async function notify(
  stack: string,
  findings: readonly Finding[],
  channels: readonly AlertChannel[],
  state: AlertState,
  isComplete: boolean,
): Promise<string> {
  const before = await state.read();
  const seen = findings.map((finding) => [keyOf(finding), finding.message] as const);
  const now: Reported = new Map([...(isComplete ? [] : before), ...seen]);
  const found = findings.filter((finding) => !before.has(keyOf(finding)));
  const resolved = [...before].filter(([key]) => !now.has(key)).map(([, message]) => message);
  if (found.length === 0 && resolved.length === 0) return "nothing new to report";
  const results = await Promise.allSettled(
    channels.map((channel) => channel.send({ stack, found, resolved })),
  );
  const failure = results.find((result) => result.status === "rejected");
  if (failure) throw failure.reason;
  await state.write(now);
  return `reported ${found.length} new and ${resolved.length} resolved by ${channels.map(({ name }) => name).join(" and ")}`;
}
