/**
 * Globs for names of repositories and tags. `*` stands for any characters of one path segment, and `**` as a whole
 * segment for any number of segments, none included. Everything else stands for itself.
 */

/** A repository glob: `team-a/**`, `**&#47;base`. Segments have the characters of repository names, and `*`. */
export const REPOSITORY_GLOB =
  /^(?!.*\*\*\/\*\*)(?!.*[^/]\*\*)(?!.*\*\*[^/])[a-z0-9._*-]+(?:\/[a-z0-9._*-]+)*$/;

/** Name of a repository. Source: OCI distribution specification 1.1, "Pulling manifests". */
const COMPONENT = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
export const REPOSITORY_NAME = `${COMPONENT}(?:/${COMPONENT})*`;
export const TAG_NAME = "[A-Za-z0-9_][A-Za-z0-9._-]{0,127}";

/** A tag glob: `v*`. */
export const TAG_GLOB = /^(?!.*\*\*)[A-Za-z0-9._*-]{1,128}$/;

/**
 * A glob as a regular expression that both JavaScript and PCRE read. It has neither backslashes nor quotes, so that it
 * can stand in a quoted string of nginx.
 */
export function globPattern(glob: string): string {
  const segments = glob.split("/");
  let pattern = "";
  for (const [index, segment] of segments.entries()) {
    const isLast = index === segments.length - 1;
    if (segment !== "**") pattern += `${segmentPattern(segment)}${isLast ? "" : "/"}`;
    else if (!isLast) pattern += "(?:.+/)?";
    else pattern = index === 0 ? ".+" : `${pattern.replace(/\/$/, "")}(?:/.+)?`;
  }
  return `^${pattern}$`;
}

/** Whether a name of a repository or a tag matches a glob. */
export const matchesGlob = (glob: string, name: string): boolean => new RegExp(globPattern(glob)).test(name);

const segmentPattern = (segment: string): string =>
  segment === "*" ? "[^/]+" : segment.replaceAll(".", "[.]").replaceAll("*", "[^/]*");

/**
 * Whether every name that a glob matches is matched by one of the others, as their segments show it. What only several of
 * them match together is not seen.
 */
export const isCovered = (glob: string, others: readonly string[]): boolean =>
  others.some((other) => isWider(other.split("/"), glob.split("/")));

function isWider([first, ...rest]: readonly string[], inner: readonly string[]): boolean {
  if (first === undefined) return inner.length === 0;
  const [segment, ...others] = inner;
  if (first === "**")
    return isWider(rest, inner) || (segment !== undefined && isWider([first, ...rest], others));
  // A star of the inner glob is a character that only stars of the outer one match.
  return segment !== undefined && segment !== "**" && matchesGlob(first, segment) && isWider(rest, others);
}

/** Whether some name is matched by both globs. */
export const intersect = (a: string, b: string): boolean =>
  meet(a.split("/"), b.split("/"), "**", (left, right) => meet([...left], [...right], "*", Object.is));

/** Whether two lists can stand for the same one, if the item `many` stands for any number of items. */
function meet(
  [first, ...rest]: readonly string[],
  other: readonly string[],
  many: string,
  same: (a: string, b: string) => boolean,
): boolean {
  if (first === undefined) return other.every((item) => item === many);
  const [second, ...others] = other;
  const list = [first, ...rest];
  if (first === many)
    return meet(rest, other, many, same) || (second !== undefined && meet(list, others, many, same));
  if (second === many) return meet(other, list, many, same);
  return second !== undefined && same(first, second) && meet(rest, others, many, same);
}
