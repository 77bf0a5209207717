import { ExitCode, OperatorError } from "../errors.js";
import { type HtpasswdEntry, htpasswdEntry, verifyPassword } from "./htpasswd.js";
import type { Secret } from "./secret.js";

/** The people and machines that push. The htpasswd in the Swarm is the source of truth: changes start from it. */

/** The word for a user who does not end. */
export const NEVER = "never";

/** A user's password, in the clear: it is checked, hashed, and perhaps shown. */
export interface Login {
  user: string;
  password: Secret;
}

/** The value of an Authorization header (RFC 7617). */
export const basicAuthorization = ({ user, password }: Login): string =>
  `Basic ${Buffer.from(`${user}:${password.reveal()}`).toString("base64")}`;

/** What a change makes of the users. */
export interface Change {
  people: HtpasswdEntry[];
  /** Users whose password is new, or who are. */
  changed: string[];
  removed: string[];
  /** Users of whom something else than the password is new. */
  updated?: string[];
}

/** What can be said of a user; `until` undefined leaves it as it is, and "never" takes it away. */
export interface Remarks {
  until?: string | undefined;
  note?: string | undefined;
}

const refuse = (message: string, remedy: string) =>
  new OperatorError(message, { where: "users", remedy, exitCode: ExitCode.credentials });

/** Each name once, with its last line: the one that the registry goes by. */
const unique = (entries: readonly HtpasswdEntry[]): HtpasswdEntry[] => [
  ...new Map(entries.map((entry) => [entry.user, entry])).values(),
];

/**
 * Puts what a deploy brings into what is there. Nobody is removed. A user whose known password still opens the line that
 * is there keeps it, whatever salt the other one has: CI may hash it again each time.
 *
 * @param wanted lines of REGISTRY_HTPASSWD
 * @param login the user of it whose password is known
 */
export function mergePeople(
  current: readonly HtpasswdEntry[],
  wanted: readonly HtpasswdEntry[],
  login: Login,
): Change {
  const people = new Map(unique(current).map((entry) => [entry.user, entry]));
  const changed: string[] = [];
  const updated: string[] = [];
  for (const entry of unique(wanted)) {
    const there = people.get(entry.user);
    const same =
      entry.user === login.user
        ? there !== undefined && verifyPassword([there], login.user, login.password)
        : there?.hash === entry.hash;
    if (same) {
      const more = { ...there, ...entry, hash: there?.hash ?? entry.hash };
      if (more.until !== there?.until || more.note !== there?.note) {
        people.set(entry.user, more);
        updated.push(entry.user);
      }
      continue;
    }
    people.set(entry.user, { ...there, ...entry });
    changed.push(entry.user);
  }
  return {
    people: [...people.values()],
    changed,
    removed: [],
    ...(updated.length > 0 ? { updated } : {}),
  };
}

/** Gives a user that is there another password. */
export function changePassword(
  current: readonly HtpasswdEntry[],
  { user, password }: Login,
  cost: number,
): Change {
  const people = unique(current);
  requireUser(people, user);
  const entry = htpasswdEntry(user, password, cost);
  return {
    people: people.map((other) => (other.user === user ? { ...other, ...entry } : other)),
    changed: [user],
    removed: [],
  };
}

/** Adds a user. */
export function addUser(
  current: readonly HtpasswdEntry[],
  { user, password }: Login,
  cost: number,
  remarks: Remarks = {},
): Change {
  const people = unique(current);
  if (people.some((other) => other.user === user)) {
    throw refuse(
      `the user ${user} exists already`,
      `Give them another password: hephaestus rotate-password --user ${user}`,
    );
  }
  const entry = withRemarks(htpasswdEntry(user, password, cost), remarks);
  return { people: [...people, entry], changed: [user], removed: [] };
}

/** Changes when a user ends, or what the user is for; the password stays. */
export function updateUser(current: readonly HtpasswdEntry[], user: string, remarks: Remarks): Change {
  const people = unique(current);
  requireUser(people, user);
  return {
    people: people.map((other) => (other.user === user ? withRemarks(other, remarks) : other)),
    changed: [],
    removed: [],
    updated: [user],
  };
}

function withRemarks({ until, note, ...entry }: HtpasswdEntry, remarks: Remarks): HtpasswdEntry {
  const [end, text] = [remarks.until ?? until, remarks.note ?? note];
  return {
    ...entry,
    ...(end === undefined || end === NEVER ? {} : { until: end }),
    ...(text === undefined || text === "" ? {} : { note: text }),
  };
}

/** Removes a user, but never the last one: then nobody could push. */
export function removeUser(current: readonly HtpasswdEntry[], user: string): Change {
  const people = unique(current);
  requireUser(people, user);
  if (people.length === 1) {
    throw refuse(
      `${user} is the last user, and without a user no one can push`,
      "Add another one first: hephaestus user add NAME",
    );
  }
  return { people: people.filter((other) => other.user !== user), changed: [], removed: [user] };
}

function requireUser(people: readonly HtpasswdEntry[], user: string): void {
  if (people.some((other) => other.user === user)) return;
  throw refuse(
    `there is no user ${user}`,
    `Users are: ${people.map((other) => other.user).join(", ")}. Add one: hephaestus user add ${user}`,
  );
}
