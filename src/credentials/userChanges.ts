import { ExitCode, OperatorError } from "../errors.js";
import { type HtpasswdEntry, htpasswdEntry, verifyPassword } from "./htpasswd.js";
import type { Login, NewLogin } from "./userLogin.js";

/**
 * A change of the users. The htpasswd in the Swarm is the source of truth: it makes all users from those that
 * are there.
 */
export type UserChange = (current: readonly HtpasswdEntry[]) => NewUsers;

/** What a change makes of the users. */
interface NewUsers {
  /** All users, as they are afterwards. */
  users: readonly HtpasswdEntry[];
  /** The login that has to work afterwards. If it was generated, somebody is shown it. */
  login?: NewLogin | undefined;
  /** The login that stops working, if it is known. */
  former?: Login | undefined;
}

/** The same, with the names of those of whom something is new. */
export interface ChangedUsers extends NewUsers {
  /** New users, and those with a new password. */
  changed: readonly string[];
  removed: readonly string[];
  /** Users of whom something else than the password is new. */
  updated: readonly string[];
}

/** Applies a change to users. */
export function applied(change: UserChange, current: readonly HtpasswdEntry[]): ChangedUsers {
  const before = new Map(current.map((entry) => [entry.user, entry]));
  const after = change(current);
  const namesOf = (entries: readonly HtpasswdEntry[]) => entries.map(({ user }) => user);
  const hasNewHash = ({ user, hash }: HtpasswdEntry) => before.get(user)?.hash !== hash;
  const isOther = ({ user, until, note }: HtpasswdEntry) =>
    before.get(user)?.until !== until || before.get(user)?.note !== note;
  const left = namesOf(after.users);
  return {
    ...after,
    changed: namesOf(after.users.filter(hasNewHash)),
    removed: [...before.keys()].filter((user) => !left.includes(user)),
    updated: namesOf(after.users.filter((entry) => !hasNewHash(entry) && isOther(entry))),
  };
}

/** The word for a user who does not end. */
export const NEVER = "never";

/** A password that was not hashed yet. */
export interface NewPassword extends NewLogin {
  /** bcrypt's log2 of rounds. */
  cost: number;
}

/** A password with the htpasswd that it opens. */
export interface Credentials extends NewLogin {
  users: readonly HtpasswdEntry[];
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

/** The users stay as they are. */
export const keepUsers: UserChange = (users) => ({ users });

/** Adds lines of users that are not there. */
export const addEntries =
  (entries: readonly HtpasswdEntry[]): UserChange =>
  (current) => ({ users: [...current, ...entries] });

/**
 * Merges what a deploy brings into what is there. Nobody is removed. A user whose known password still opens
 * the line that is there keeps it, whatever salt the other one has: CI may hash it again each time.
 *
 * @param given lines of REGISTRY_HTPASSWD, and the user of it whose password is known
 */
export const mergeUsers =
  ({ users: wanted, ...login }: Credentials): UserChange =>
  (current) => {
    const users = new Map(unique(current).map((entry) => [entry.user, entry]));
    for (const entry of unique(wanted)) {
      const there = users.get(entry.user);
      const opens = there?.user === login.user && verifyPassword([there], login.user, login.password);
      users.set(entry.user, { ...there, ...entry, ...(opens ? { hash: there.hash } : {}) });
    }
    return { users: [...users.values()], login };
  };

/** Gives a user that is there another password. */
export const changePassword =
  ({ cost, ...login }: NewPassword): UserChange =>
  (current) => {
    const users = unique(current);
    requireUser(users, login.user);
    const entry = htpasswdEntry(login.user, login.password, cost);
    return {
      users: users.map((other) => (other.user === login.user ? { ...other, ...entry } : other)),
      login,
    };
  };

/** Adds a user. */
export const addUser =
  ({ cost, ...login }: NewPassword, remarks: Remarks = {}): UserChange =>
  (current) => {
    const users = unique(current);
    if (users.some(({ user }) => user === login.user)) {
      throw refuse(
        `the user ${login.user} exists already`,
        `Give them another password: hephaestus rotate-password --user ${login.user}`,
      );
    }
    const entry = withRemarks(htpasswdEntry(login.user, login.password, cost), remarks);
    return { users: [...users, entry], login };
  };

/** Changes when a user ends, or what the user is for; the password stays. */
export const updateUser =
  (user: string, remarks: Remarks): UserChange =>
  (current) => {
    const users = unique(current);
    requireUser(users, user);
    return { users: users.map((other) => (other.user === user ? withRemarks(other, remarks) : other)) };
  };

function withRemarks({ until, note, ...entry }: HtpasswdEntry, remarks: Remarks): HtpasswdEntry {
  const [end, text] = [remarks.until ?? until, remarks.note ?? note];
  return {
    ...entry,
    ...(end === undefined || end === NEVER ? {} : { until: end }),
    ...(text === undefined || text === "" ? {} : { note: text }),
  };
}

/** Removes a user, but never the last one: then nobody could push. */
export const removeUser =
  (user: string): UserChange =>
  (current) => {
    const users = unique(current);
    requireUser(users, user);
    if (users.length === 1) {
      throw refuse(
        `${user} is the last user, and without a user no one can push`,
        "Add another one first: hephaestus user add NAME",
      );
    }
    return { users: users.filter((other) => other.user !== user) };
  };

/** The same change, which also ends a login: one that opens nothing now is none. */
export const endingLogin =
  (former: Login | undefined, change: UserChange): UserChange =>
  (current) =>
    former !== undefined && verifyPassword(current, former.user, former.password)
      ? { ...change(current), former }
      : change(current);

function requireUser(users: readonly HtpasswdEntry[], user: string): void {
  if (users.some((other) => other.user === user)) return;
  throw refuse(
    `there is no user ${user}`,
    `Users are: ${users.map((other) => other.user).join(", ")}. Add one: hephaestus user add ${user}`,
  );
}

/** "new password of ann, ci until 2027-03-01 (builds); without carl"; empty if nothing is new. */
export function describeChange({ users, changed, removed, updated }: ChangedUsers): string {
  const named = (user: string): string => {
    const { until, note } = users.find((entry) => entry.user === user) ?? {};
    return `${user}${until === undefined ? "" : ` until ${until}`}${note === undefined ? "" : ` (${note})`}`;
  };
  const parts = [
    ...(changed.length > 0 ? [`new password of ${changed.map(named).join(", ")}`] : []),
    ...(updated.length > 0 ? [`changed ${updated.map(named).join(", ")}`] : []),
    ...(removed.length > 0 ? [`without ${removed.join(", ")}`] : []),
  ];
  return parts.join("; ");
}
