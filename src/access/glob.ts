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

/** A step on one character, or on any but the slash. */
type Step = { on: string; to: number };

/** Any character but the slash. */
const SEGMENT = "segment";

/** A nondeterministic automaton. State 0 is the first. */
interface Automaton {
  steps: Step[][];
  /** States that are reached without a character. */
  jumps: number[][];
  accepts: Set<number>;
}

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

/** Whether every name that a glob matches is matched by one of the others. */
export function isCovered(glob: string, others: readonly string[]): boolean {
  const [inner, outer] = [automatonOf([glob]), automatonOf(others)];
  return !reaches(inner, outer, (left, right) => left && !right);
}

/** Whether some name is matched by both globs. */
export const intersect = (a: string, b: string): boolean =>
  reaches(automatonOf([a]), automatonOf([b]), (left, right) => left && right);

/** Whether some string brings both automata into states of the wanted kind. */
function reaches(
  left: Automaton,
  right: Automaton,
  wanted: (left: boolean, right: boolean) => boolean,
): boolean {
  const alphabet = new Set(["/", "\0"]);
  for (const { on } of [...left.steps, ...right.steps].flat()) if (on.length === 1) alphabet.add(on);
  const seen = new Set<string>();
  const open: [number[], number[]][] = [[closure(left, [0]), closure(right, [0])]];
  for (let pair = open.pop(); pair !== undefined; pair = open.pop()) {
    const [ours, theirs] = pair;
    const key = `${ours}|${theirs}`;
    if (seen.has(key)) continue;
    seen.add(key);
    const accepts = (automaton: Automaton, states: number[]) =>
      states.some((state) => automaton.accepts.has(state));
    if (wanted(accepts(left, ours), accepts(right, theirs))) return true;
    for (const character of alphabet) {
      const next = move(left, ours, character);
      if (next.length > 0) open.push([next, move(right, theirs, character)]);
    }
  }
  return false;
}

function move(automaton: Automaton, states: readonly number[], character: string): number[] {
  const reached = states.flatMap((state) =>
    (automaton.steps[state] ?? []).filter(({ on }) => stepsOn(on, character)).map(({ to }) => to),
  );
  return closure(automaton, reached);
}

const stepsOn = (on: string, character: string): boolean =>
  on === SEGMENT ? character !== "/" : on === character;

function closure({ jumps }: Automaton, states: readonly number[]): number[] {
  const reached = new Set(states);
  for (const state of reached) for (const next of jumps[state] ?? []) reached.add(next);
  return [...reached].sort((a, b) => a - b);
}

function automatonOf(globs: readonly string[]): Automaton {
  const automaton: Automaton = { steps: [[]], jumps: [[]], accepts: new Set() };
  for (const glob of globs) addGlob(automaton, glob);
  return automaton;
}

function addGlob({ steps, jumps, accepts }: Automaton, glob: string): void {
  const state = (): number => {
    jumps.push([]);
    return steps.push([]) - 1;
  };
  const step = (from: number, on: string, to = state()): number => {
    steps[from]?.push({ on, to });
    return to;
  };
  const jump = (from: number, to = state()): number => {
    jumps[from]?.push(to);
    return to;
  };
  let at = jump(0);
  const segments = glob.split("/");
  for (const [index, segment] of segments.entries()) {
    const isLast = index === segments.length - 1;
    if (segment === "**") {
      // Some segments, with the slash that parts them from what is beside them; or nothing.
      const isOnly = segments.length === 1;
      const before = isLast && !isOnly ? step(at, "/") : at;
      const some = step(before, SEGMENT);
      step(some, SEGMENT, some);
      step(step(some, "/"), SEGMENT, some);
      const after = isLast ? some : step(some, "/");
      const end = jump(after);
      if (!isOnly) jump(at, end);
      at = end;
      continue;
    }
    for (const character of segment === "*" ? ["?", "*"] : segment) {
      if (character === "?") at = step(at, SEGMENT);
      else if (character === "*") step(at, SEGMENT, at);
      else at = step(at, character);
    }
    if (!isLast && !(segments.length === index + 2 && segments[index + 1] === "**")) at = step(at, "/");
  }
  accepts.add(at);
}
