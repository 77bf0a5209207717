import { ExitCode, OperatorError } from "../errors.js";
import { type HtpasswdEntry, htpasswdEntry, verifyPassword } from "./htpasswd.js";
import type { Login, NewLogin } from "./userLogin.js";

/** Changes of the users. The htpasswd in the Swarm is the source of truth: a change is a function of what is there. */
export type UserChange = (current: readonly HtpasswdEntry[]) => ChangedUsers;

/** What a change makes of the users. */
export interface ChangedUsers {
  /** All users, as they are afterwards. */
  users: readonly HtpasswdEntry[];
  /** New users, and those with a new password. */
  changed: readonly string[];
  removed: readonly string[];
  /** Users of whom something else than the password is new. */
  updated: readonly string[];
  /** The login that has to work afterwards. If it was generated, somebody is shown it. */
  login?: NewLogin | undefined;
  /** The login that stops working, if it is known. */
  former?: Login | undefined;
}

/** Nothing but the users themselves. */
const UNCHANGED = { changed: [], removed: [], updated: [] } as const satisfies Partial<ChangedUsers>;

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

/** The users of a stack that had none. */
export const firstUsers = ({ users, ...login }: Credentials): ChangedUsers => ({
  ...UNCHANGED,
  users,
  changed: users.map(({ user }) => user),
  login,
});

/** The users stay as they are. */
export const keepUsers: UserChange = (current) => ({ ...UNCHANGED, users: [...current] });

/** Adds lines of users that are not there. */
export const addEntries =
  (entries: readonly HtpasswdEntry[]): UserChange =>
  (current) => ({
    ...UNCHANGED,
    users: [...current, ...entries],
    changed: entries.map(({ user }) => user),
  });

/**
 * Merges what a deploy brings into what is there. Nobody is removed. A user whose known password still opens the line that
 * is there keeps it, whatever salt the other one has: CI may hash it again each time.
 *
 * @param given lines of REGISTRY_HTPASSWD, and the user of it whose password is known
 */
export const mergeUsers =
  ({ users: wanted, ...login }: Credentials): UserChange =>
  (current) => {
    const users = new Map(unique(current).map((entry) => [entry.user, entry]));
    const changed: string[] = [];
    const updated: string[] = [];
    for (const entry of unique(wanted)) {
      const there = users.get(entry.user);
      const same =
        entry.user === login.user
          ? there !== undefined && verifyPassword([there], login.user, login.password)
          : there?.hash === entry.hash;
      if (same) {
        const more = { ...there, ...entry, hash: there?.hash ?? entry.hash };
        if (more.until !== there?.until || more.note !== there?.note) {
          users.set(entry.user, more);
          updated.push(entry.user);
        }
        continue;
      }
      users.set(entry.user, { ...there, ...entry });
      changed.push(entry.user);
    }
    return { users: [...users.values()], changed, removed: [], updated, login };
  };

/** Gives a user that is there another password. */
export const changePassword =
  ({ cost, ...login }: NewPassword): UserChange =>
  (current) => {
    const users = unique(current);
    requireUser(users, login.user);
    const entry = htpasswdEntry(login.user, login.password, cost);
    return {
      ...UNCHANGED,
      users: users.map((other) => (other.user === login.user ? { ...other, ...entry } : other)),
      changed: [login.user],
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
    return { ...UNCHANGED, users: [...users, entry], changed: [login.user], login };
  };

/** Changes when a user ends, or what the user is for; the password stays. */
export const updateUser =
  (user: string, remarks: Remarks): UserChange =>
  (current) => {
    const users = unique(current);
    requireUser(users, user);
    return {
      ...UNCHANGED,
      users: users.map((other) => (other.user === user ? withRemarks(other, remarks) : other)),
      updated: [user],
    };
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
    return { ...UNCHANGED, users: users.filter((other) => other.user !== user), removed: [user] };
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
