import { isAlias, isScalar } from "yaml";
import { type Edit, EditableConfig } from "./editable.js";
import { KNOWN_IMAGES, type KnownImage, type KnownVersion } from "./knownImages.js";
import { compareVersions, registryLine } from "./resolve.js";

/** An image of the config that gets a newer version. */
export interface Upgrade {
  path: string;
  from: string;
  to: string;
  /** The versions on the way, the last one included. */
  versions: readonly KnownVersion[];
}

/** An image that stays, and why. */
export interface Left {
  path: string;
  image: string;
  reason: string;
}

export interface UpgradePlan {
  upgrades: Upgrade[];
  left: Left[];
  /** The file's text afterwards: nothing but the changed values differs. */
  text: string;
}

/**
 * What the table knows to be newer than what a config file names. Pure. Images that the file leaves to the defaults are
 * nothing to edit.
 *
 * @param source text of a config file that is valid
 * @param major whether the first number of a version may change too
 */
export function planUpgrade(
  source: string,
  major: boolean,
  known: readonly KnownImage[] = KNOWN_IMAGES,
): UpgradePlan {
  const config = new EditableConfig(source);
  const plan: Omit<UpgradePlan, "text"> = { upgrades: [], left: [] };
  const edits: Edit[] = [];
  for (const image of known) {
    const node = config.document.getIn(image.path, true);
    const path = image.path.join(".");
    if (isAlias(node)) plan.left.push({ path, image: `*${node.source}`, reason: "is an alias" });
    if (!isScalar(node) || typeof node.value !== "string") continue;
    const verdict = judge(node.value, image, major);
    if ("reason" in verdict) {
      plan.left.push({ path, image: node.value, reason: verdict.reason });
      continue;
    }
    plan.upgrades.push({ path, from: node.value, ...verdict });
    edits.push({ path: image.path, value: verdict.to });
    // The line may stand beside the image, and has to stay true; where it does not, nothing is added.
    const line = registryLine(verdict.to);
    if (image.name === "registry" && line !== registryLine(node.value))
      edits.push({ path: ["registry", "version"], value: String(line) });
  }
  return { ...plan, text: config.withValues(edits) };
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
    return { reason: `does not name a version; the table has ${name}:${newest(versions)?.version}${suffix}` };
  }
  const ofLine = versions.filter((one) => major || majorOf(one.version) === majorOf(version));
  const newer = ofLine.filter((one) => compareVersions(one.version, version) > 0);
  const best = newest(newer);
  if (best) return { to: `${prefix}${name}:${best.version}${suffix}`, versions: newer };
  const beyond = newest(versions.filter((one) => compareVersions(one.version, version) > 0));
  const hint = beyond ? `; with --major it goes to ${beyond.version}` : "";
  const isKnown = versions.some((one) => one.version === version);
  return {
    reason: `${isKnown ? "is the newest" : "is newer than all known versions"} that the table has of its line${hint}`,
  };
}

const majorOf = (version: string): string => version.split(".")[0] ?? "";

const newest = (versions: readonly KnownVersion[]): KnownVersion | undefined => versions.at(-1);
