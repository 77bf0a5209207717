/**
 * Globs for names of repositories and tags. `*` stands for any characters of one path segment, and `**` as a
 * whole segment for any number of segments, none included. Everything else stands for itself.
 */

/**
 * A repository glob: `team-a/**`, `**&#47;base`. Segments have the characters of repository names, and `*`.
 */
export const REPOSITORY_GLOB =
  /^(?!.*\*\*\/\*\*)(?!.*[^/]\*\*)(?!.*\*\*[^/])[a-z0-9._*-]+(?:\/[a-z0-9._*-]+)*$/;

/** Name of a repository. Source: OCI distribution specification 1.1, "Pulling manifests". */
const COMPONENT = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
export const REPOSITORY_NAME = `${COMPONENT}(?:/${COMPONENT})*`;
export const TAG_NAME = "[A-Za-z0-9_][A-Za-z0-9._-]{0,127}";

/** A tag glob: `v*`. */
export const TAG_GLOB = /^(?!.*\*\*)[A-Za-z0-9._*-]{1,128}$/;

/**
 * A glob as a regular expression that both JavaScript and PCRE read. It has neither backslashes nor quotes,
 * so that it can stand in a quoted string of nginx.
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
export const matchesGlob = (glob: string, name: string): boolean =>
  stands(glob.split("/"), name.split("/"), "**", matchesSegment);

/** Whether a segment of a glob matches one of a name. */
export const matchesSegment = (segment: string, name: string): boolean =>
  segment === "*" ? name !== "" : stands(segment, name, "*", Object.is);

/**
 * Whether a pattern stands for a list, if its item `many` stands for any number of items. Whatever the texts
 * are, it takes no more steps than there are pairs of items: only the last `many` ever has to take one item
 * more.
 */
export function stands(
  pattern: ArrayLike<string>,
  list: ArrayLike<string>,
  many: string,
  same: (inPattern: string, inList: string) => boolean,
): boolean {
  let at = 0;
  let taken = 0;
  let last: { at: number; taken: number } | undefined;
  while (taken < list.length) {
    if (pattern[at] === many) {
      last = { at, taken };
      at++;
    } else if (at < pattern.length && same(pattern[at] as string, list[taken] as string)) {
      at++;
      taken++;
    } else if (last !== undefined) {
      last.taken++;
      at = last.at + 1;
      taken = last.taken;
    } else return false;
  }
  while (pattern[at] === many) at++;
  return at === pattern.length;
}

const segmentPattern = (segment: string): string =>
  segment === "*" ? "[^/]+" : segment.replaceAll(".", "[.]").replaceAll("*", "[^/]*");

/**
 * Whether every name that a glob matches is matched by one of the others, as their segments show it. What
 * only several of them match together is not seen.
 */
export const isCovered = (glob: string, others: readonly string[]): boolean =>
  others.some((other) =>
    stands(
      other.split("/"),
      glob.split("/"),
      "**",
      // A star of the inner glob is a character that only stars of the outer one match.
      (outer, inner) => inner !== "**" && matchesSegment(outer, inner),
    ),
  );

/** Whether some name is matched by both globs. */
export const intersect = (a: string, b: string): boolean =>
  meet(a.split("/"), b.split("/"), "**", (left, right) => meet([...left], [...right], "*", Object.is));

/** Whether two lists can stand for the same one, if the item `many` stands for any number of items. */
function meet(
  a: readonly string[],
  b: readonly string[],
  many: string,
  same: (a: string, b: string) => boolean,
): boolean {
  // Whether what follows in `b` can meet what follows in `a`, from the end of `a` to its beginning.
  let after: boolean[] = [];
  for (let i = a.length; i >= 0; i--) {
    const row: boolean[] = [];
    for (let j = b.length; j >= 0; j--)
      row[j] =
        (i === a.length && j === b.length) ||
        (a[i] === many && (after[j] === true || row[j + 1] === true)) ||
        (b[j] === many && (row[j + 1] === true || after[j] === true)) ||
        (i < a.length && j < b.length && after[j + 1] === true && same(a[i] as string, b[j] as string));
    after = row;
  }
  return after[0] === true;
}
