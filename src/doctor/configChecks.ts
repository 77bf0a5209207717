import type { Finding as ConfigFinding } from "../config/configFindings.js";
import { KNOWN_DATE, newestRegistry } from "../config/imageUpgrade.js";
import type { Config } from "../config/resolve.js";
import { daysBetween } from "../credentials/dates.js";
import { error, type Finding, findingKinds, warning } from "../finding.js";
import { readFrom } from "../host/files.js";
import { type Comparison, compare } from "../render/compare.js";
import type { Checks } from "./check.js";

const kinds = findingKinds("Config and files", {
  "config-warning": warning("{risk}", "{change}", {
    meaning: "a value of the config is a risk",
    remedy: "See it with: hephaestus render",
  }),
  "image-not-pinned": warning("{risk}", "{change}", {
    meaning: "an image has no version and no digest",
    remedy: "Add a version's tag or a digest.",
  }),
  "library-shows-all": warning("{risk}", "{change}", {
    meaning: "pulls need a login, but the public library shows every image",
    remedy: "Set ui.access: sso, or ui.enabled: false, or registry.pull: anonymous.",
  }),
  "registry-line-ended": warning(
    "line 2 of the registry has ended: {image} gets no more fixes",
    "Go to line 3 with: hephaestus upgrade --major, then render and deploy. The images stay as they are.",
  ),
  "files-missing": error("{paths}: not there yet", "Write them with: hephaestus render"),
  "files-stale": error(
    "{paths}: not what the config renders to",
    "See the difference with: hephaestus render --diff, then write it with: hephaestus render",
  ),
  "versions-old": warning(
    "hephaestus upgrade does not know the newest versions of the images",
    "Install a newer hephaestus, and look at the releases of the registry, of nginx and of the UI until then.",
  ),
});
const { found } = kinds;

/** The warnings of the config's rules. */
const judgeConfig = (warnings: readonly ConfigFinding[]): Finding[] =>
  warnings.map(({ code, path, message, remedy, file, line, column }) =>
    found(code ?? "config-warning", { risk: message, change: remedy }, `${file}:${line}:${column}: ${path}`),
  );

/** A registry of line 2, which nobody works on any more. Source: releases of distribution/distribution. */
export function judgeRegistryLine({ registry: { image, version } }: Config): Finding[] {
  if (version !== 2) return [];
  const last = newestRegistry(2);
  const evidence = `registry.image is ${image}; the last release of line 2 is ${last.version}, of ${last.date}`;
  return [found("registry-line-ended", { image }, evidence)];
}

/** The rendered files, compared with those on disk, which people review and commit. */
export function judgeFiles(comparisons: readonly Comparison[]): Finding[] {
  const of = (wanted: Comparison["state"]) => comparisons.filter(({ state }) => state === wanted);
  const [missing, stale] = [of("missing"), of("stale")];
  const paths = (files: readonly Comparison[]) => files.map(({ path }) => path).join(", ");
  const changes = stale.map(({ path, diff }) => `${path} (${changedLines(diff)})`).join(", ");
  return [
    ...(missing.length > 0 ? [found("files-missing", { paths: paths(missing) }, "no such file")] : []),
    ...(stale.length > 0 ? [found("files-stale", { paths: paths(stale) }, changes)] : []),
  ];
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
  return days <= OLD_TABLE_DAYS
    ? []
    : [found("versions-old", {}, `its table of versions is ${days} days old`)];
}

export const configChecks: Checks = {
  kinds: [kinds],
  checks: [
    { title: "warnings of the config", run: async ({ warnings }) => judgeConfig(warnings) },
    { title: "line of the registry", run: async ({ config }) => judgeRegistryLine(config) },
    {
      title: "rendered files",
      preflight: true,
      run: async ({ files, folder }) => judgeFiles(compare(files, readFrom(folder))),
    },
    { title: "known versions of the images", run: async () => judgeVersions(KNOWN_DATE, new Date()) },
  ],
};
