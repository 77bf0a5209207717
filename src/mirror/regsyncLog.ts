import { z } from "zod";
import { readJson } from "../json.js";

/** What regsync did with an image, by its log. */
export interface MirroredImage {
  /** Registry, repository and tag. */
  source: string;
  target: string;
  /**
   * - current: the copy is the same.
   * - refreshed: the same, and its signatures and attestations were looked at.
   * - copied: it was missing or another one. With `check` it would be copied.
   * - failed: see the error.
   */
  state: "current" | "refreshed" | "copied" | "failed";
  error?: string;
}

export interface MirrorReport {
  images: MirroredImage[];
  /** Why a source could not be looked at as a whole, with its name. */
  sources: { source: string; error: string }[];
  /** Sources of which no tag matches. */
  unmatched: string[];
  /** Where regsync waits until the source lets it pull again. */
  waitsFor: string | undefined;
}

/** An entry of its log, as far as it is read. */
const word = z.string().default("");
const entrySchema = z.object({ msg: word, source: word, target: word, error: word });

const STATES: Readonly<Record<string, MirroredImage["state"]>> = {
  "Image matches": "current",
  "Image matches for platform": "current",
  "Image refreshing": "refreshed",
  "Image sync needed": "copied",
};

/**
 * Reads regsync's log. Other lines are left out. Source: regclient, cmd/regsync/root.go.
 *
 * @param lines JSON, one entry each, at the level debug for images that are current
 */
export function parseRegsyncLog(lines: readonly string[]): MirrorReport {
  const report: MirrorReport = { images: [], sources: [], unmatched: [], waitsFor: undefined };
  const images = new Map<string, MirroredImage>();
  for (const line of lines) {
    const entry = readJson(entrySchema, line);
    if (entry === undefined) continue;
    const { msg, source, target, error } = entry;
    const state = STATES[msg];
    if (msg === "Delaying for rate limit") report.waitsFor = source;
    else if (state !== undefined) {
      report.waitsFor = undefined;
      images.set(target, { source, target, state });
    } else if (msg === "Failed to sync") images.set(target, { source, target, state: "failed", error });
    else if (msg === "Failed getting source tags")
      report.sources.push({ source: repositoryOf(source), error });
    else if (msg === "No matching tags found") report.unmatched.push(repositoryOf(source));
  }
  report.images.push(...images.values());
  return report;
}

/** regsync names a repository with the tag latest. */
const repositoryOf = (name: string): string => name.replace(/:latest$/, "");

/** Whether the copy of an image was the same already. */
export const isUpToDate = ({ state }: MirroredImage): boolean => state === "current" || state === "refreshed";

/** What failed, and why in words for a person. */
export const failedCopies = ({ images, sources }: MirrorReport): { source: string; reason: string }[] =>
  [...sources, ...images.filter(({ state }) => state === "failed")].map(({ source, error = "" }) => ({
    source,
    reason: inWords(error),
  }));

/** The same, one line each. */
export const failuresOf = (report: MirrorReport): string[] =>
  failedCopies(report).map(({ source, reason }) => `${source}: ${reason}`);

/**
 * Parts of regclient's errors, and what they mean for a person. Ports and digests in them hold every number.
 */
const WORDS: readonly [RegExp, string][] = [
  [
    /\[http 429\]|too many requests|rate limit/i,
    "the source limits how much is pulled; it is tried again at the next run",
  ],
  [/is immutable/, "the tag moved at the source, but is immutable here"],
  // A registry 2.8 or 3.1 on a full disk answers 500 to an upload, and does not say why.
  [
    /failed to (?:send|put) .*\[http 5\d\d\]/i,
    "this registry could not store it: see whether its disk is full with hephaestus doctor",
  ],
  // The registry here no longer knows the upload, since the source broke off in it.
  [/failed to send blob.*\[http 404\]/i, "the copy was interrupted; it is tried again at the next run"],
  [/\[http 404\]|not found/i, "is not there (any more); the copies here stay"],
  [/\[http 401\]|unauthorized/i, "a login is needed, or was refused"],
  [/no such host|server misbehaving/, "the host name of the source cannot be resolved"],
  [/connection refused|no route to host|timeout|deadline exceeded/i, "the source does not answer"],
];

/** What an error means, with the error itself. */
function inWords(error: string): string {
  const found = WORDS.find(([pattern]) => pattern.test(error))?.[1];
  const short = error.replaceAll("\n", "; ");
  return found === undefined ? short : `${found} (${short})`;
}
