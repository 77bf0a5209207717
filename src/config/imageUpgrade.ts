import { isAlias, isScalar, parseDocument } from "yaml";
import { withValue } from "./editable.js";
import known from "./knownImages.json" with { type: "json" };
import { compareVersions, registryLine } from "./resolve.js";
import { DEFAULT_REGISTRY } from "./schema/registry.js";

/** A version of an image that fits here. It was judged by its release notes. */
interface KnownVersion {
  version: string;
  /** Day of its release; if that is not known, the first day on which it is known to have been there. */
  date: string;
  /** What changed, as far as it matters here. */
  note: string;
  /** What to watch for on the way to it. */
  mind?: string;
}

/** The versions of one image, from whatever registry it comes. */
interface KnownImage {
  /** Its section of the config. */
  section: string;
  /** Last part of the repository's name. */
  name: string;
  /** What follows the version in the tag. */
  suffix: string;
  /** In rising order. */
  versions: readonly KnownVersion[];
}

export const KNOWN_IMAGES: readonly KnownImage[] = known.images;

/** When somebody last looked for newer versions. */
export const KNOWN_DATE = new Date(known.date);

/** The newest version of a line of the registry that the table has. */
export const newestRegistry = (line: 2 | 3): KnownVersion =>
  KNOWN_IMAGES.find(({ section }) => section === "registry")?.versions.findLast(
    ({ version }) => majorOf(version) === String(line),
  ) as KnownVersion;

/** An image of the config that gets a newer version. */
interface Upgrade {
  path: string;
  from: string;
  to: string;
  /** The versions on the way, the last one included. */
  versions: readonly KnownVersion[];
}

export interface UpgradePlan {
  upgrades: Upgrade[];
  /** Images that stay, and why. */
  left: Array<{ path: string; image: string; reason: string }>;
  /** The file's text afterwards: nothing but the changed values differs. */
  text: string;
}

/**
 * What the table knows to be newer than what a config file names. Pure. Of the images that the file leaves to
 * the defaults, only the registry's is looked at: its default is of line 2.
 *
 * @param source text of a valid config file
 * @param major whether the first number of a version may change too
 */
export function planUpgrade(source: string, major: boolean): UpgradePlan {
  const document = parseDocument(source);
  const plan: UpgradePlan = { upgrades: [], left: [], text: source };
  for (const image of KNOWN_IMAGES) {
    const node = document.getIn([image.section, "image"], true);
    const path = `${image.section}.image`;
    if (isAlias(node)) plan.left.push({ path, image: `*${node.source}`, reason: "is an alias" });
    const isUnset = node === undefined && image.section === "registry";
    const from = isUnset ? DEFAULT_REGISTRY : isScalar(node) ? node.value : undefined;
    if (typeof from !== "string") continue;
    const verdict = judge(from, image, major);
    const text = "to" in verdict && withValue(plan.text, [image.section, "image"], verdict.to);
    if (!("to" in verdict) || !text) {
      const reason = "to" in verdict ? "is set in a section that has no place for it" : verdict.reason;
      plan.left.push({ path, image: from, reason });
      continue;
    }
    plan.upgrades.push({ path, from, ...verdict });
    plan.text = text;
    // If the file names the line of the registry too, that has to stay true.
    const line = registryLine(verdict.to);
    const hasLine = image.name === "registry" && isScalar(document.getIn(["registry", "version"], true));
    if (hasLine && line !== registryLine(from))
      plan.text = withValue(plan.text, ["registry", "version"], String(line)) ?? plan.text;
  }
  return plan;
}

/** [mirror/]name[:tag][@digest] */
const REFERENCE = /^((?:.*\/)?)([^/:@]+)(?::([^/@]+))?(@.+)?$/;

function judge(
  image: string,
  { name, suffix, versions }: KnownImage,
  major: boolean,
): Pick<Upgrade, "to" | "versions"> | { reason: string } {
  const [, prefix = "", repository, tag, digest] = REFERENCE.exec(image) ?? [];
  if (digest !== undefined) return { reason: "is pinned by digest, and hephaestus knows no other digest" };
  if (repository !== name) return { reason: "is an unknown image" };
  const version = tag?.endsWith(suffix) ? tag.slice(0, tag.length - suffix.length) : "";
  if (!/^\d+\.\d+\.\d+$/.test(version)) {
    return { reason: `does not name a version; the table has ${name}:${versions.at(-1)?.version}${suffix}` };
  }
  const newer = versions.filter((one) => compareVersions(one.version, version) > 0);
  const allowed = newer.filter((one) => major || majorOf(one.version) === majorOf(version));
  const best = allowed.at(-1);
  if (best) return { to: `${prefix}${name}:${best.version}${suffix}`, versions: allowed };
  const beyond = newer.at(-1);
  const hint = beyond ? `; with --major it goes to ${beyond.version}` : "";
  const isKnown = versions.some((one) => one.version === version);
  return {
    reason: `${isKnown ? "is the newest" : "is newer than all known versions"} that the table has of its line${hint}`,
  };
}

const majorOf = (version: string): string => version.split(".")[0] ?? "";
