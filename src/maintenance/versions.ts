/** Versions in tags, compared by their numbers. Pure. */

/** A version, as far as it is compared. */
export interface Version {
  numbers: number[];
  /** Identifiers of a pre-release; empty for a release. */
  preRelease: string[];
}

/**
 * 1.2.3, v1.2, 2026.11.24, 1.0.0-rc.1; Helm writes the `+` of build metadata as `_`. Source: semver.org
 * 2.0.0.
 */
const VERSION = /^v?(\d{1,15}(?:\.\d{1,15}){0,3})(?:-([0-9A-Za-z.-]+))?(?:[+_][0-9A-Za-z.+_-]*)?$/;

/** The version in a tag; undefined where it is none. */
export function parseVersion(tag: string): Version | undefined {
  const [, numbers, preRelease] = VERSION.exec(tag) ?? [];
  if (numbers === undefined) return undefined;
  return { numbers: numbers.split(".").map(Number), preRelease: preRelease?.split(".") ?? [] };
}

/**
 * A negative number where the first version is older, a positive one where it is newer, 0 where they are
 * equal.
 */
export function compareTagVersions(a: Version, b: Version): number {
  for (let at = 0; at < Math.max(a.numbers.length, b.numbers.length); at++) {
    const difference = (a.numbers[at] ?? 0) - (b.numbers[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return comparePreReleases(a.preRelease, b.preRelease);
}

/** A pre-release comes before its release; numbers are compared as numbers and come before words. */
function comparePreReleases(a: readonly string[], b: readonly string[]): number {
  if (a.length === 0 || b.length === 0) return b.length - a.length;
  for (const [at, one] of a.entries()) {
    const other = b[at];
    if (other === undefined) return 1;
    const [first, second] = [one, other].map((text) => (/^\d+$/.test(text) ? Number(text) : undefined));
    if (first !== undefined && second !== undefined && first !== second) return first - second;
    if ((first === undefined) !== (second === undefined)) return first === undefined ? 1 : -1;
    if (first === undefined && one !== other) return one < other ? -1 : 1;
  }
  return a.length - b.length;
}
