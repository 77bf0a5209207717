import type { Finding as ConfigFinding } from "../config/configFindings.js";
import { KNOWN_DATE } from "../config/imageUpgrade.js";
import { daysBetween } from "../credentials/dates.js";
import { readFrom } from "../host/files.js";
import type { FindingCode } from "../operation/findingCodes.js";
import { type Comparison, compare } from "../render/compare.js";
import type { Check } from "./check.js";
import { error, type Finding, warning } from "./finding.js";

/** Names for what the config's own rules warn of. */
const RULES: ReadonlyArray<readonly [RegExp, FindingCode]> = [
  [/^(?:registry|gateway|ui)\.image$/, "image-not-pinned"],
  [/^ui\.access$/, "library-shows-all"],
];

/** The warnings of the config's rules. */
const judgeConfig = (warnings: readonly ConfigFinding[]): Finding[] =>
  warnings.map(({ severity, path, message, remedy, file, line, column }) => ({
    id: RULES.find(([pattern]) => pattern.test(path))?.[1] ?? "config-warning",
    severity,
    message,
    evidence: `${file}:${line}:${column}: ${path}`,
    remedy,
  }));

/** The rendered files beside those on disk. */
function judgeFiles(comparisons: readonly Comparison[]): Finding[] {
  const of = (wanted: Comparison["state"]) => comparisons.filter(({ state }) => state === wanted);
  const [missing, stale] = [of("missing"), of("stale")];
  const paths = (files: readonly Comparison[]) => files.map(({ path }) => path).join(", ");
  const findings: Finding[] = [];
  if (missing.length > 0) {
    findings.push(
      error(
        "files-missing",
        `${missing.length} of the stack's files are not there`,
        paths(missing),
        "Write them with: hephaestus render",
      ),
    );
  }
  if (stale.length > 0) {
    findings.push(
      error(
        "files-stale",
        `${stale.length} of the stack's files are not what the config renders to`,
        stale.map(({ path, diff }) => `${path} (${changedLines(diff)})`).join(", "),
        "See the difference with: hephaestus render --diff, then write them with: hephaestus render",
      ),
    );
  }
  return findings;
}

/** "+3 -1 lines", of a unified diff. */
function changedLines(diff: string): string {
  const count = (mark: string) =>
    diff.split("\n").filter((line) => line.startsWith(mark) && !line.startsWith(mark.repeat(3))).length;
  return `+${count("+")} -${count("-")} lines`;
}

/** Days after which hephaestus's own table of versions is old. */
const OLD_TABLE_DAYS = 365;

/**
 * The table of versions that `hephaestus upgrade` uses.
 *
 * @param looked when somebody last looked for newer versions
 */
export function judgeVersions(looked: Date, now: Date): Finding[] {
  const days = daysBetween(looked, now);
  if (days <= OLD_TABLE_DAYS) return [];
  return [
    warning(
      "versions-old",
      "hephaestus upgrade does not know the newest versions of the images",
      `its table of versions is ${days} days old`,
      "Install a newer hephaestus, and look at the releases of the registry, of nginx and of the UI until then.",
    ),
  ];
}

export const versionCheck: Check = {
  id: "versions",
  title: "known versions of the images",
  theme: "Config and files",
  run: async () => judgeVersions(KNOWN_DATE, new Date()),
};

export const configCheck: Check = {
  id: "config",
  title: "warnings of the config",
  theme: "Config and files",
  run: async ({ warnings }) => judgeConfig(warnings),
};

export const fileCheck: Check = {
  id: "files",
  title: "rendered files",
  theme: "Config and files",
  run: async ({ files, folder }) => judgeFiles(compare(files, readFrom(folder))),
};
