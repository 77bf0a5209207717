import type { Finding } from "../finding.js";
import type { AlertChannel } from "./alertChannels.js";
import type { AlertState, Reported } from "./alertState.js";
import { keyOf } from "./alertText.js";

/**
 * Reports findings that are new, and what is resolved, by every channel. They count as reported when all channels took
 * them: a channel that took them gets them again where another one failed.
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
