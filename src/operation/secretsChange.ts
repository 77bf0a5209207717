import type { HtpasswdEntry } from "../credentials/htpasswd.js";
import type { Change, Login } from "../credentials/people.js";
import type { PasswordOrigin } from "../docker/swarmSecrets.js";

/** A change of users: a rotation, a new user, or a removed user. */
export interface PeopleRequest {
  apply(current: readonly HtpasswdEntry[]): Change;
  /** The login that must work afterwards; undefined for a removal. */
  login: Login | undefined;
  origin: PasswordOrigin;
  /** The password in the environment. Whether it is the old one is known once the users are read. */
  former: Login | undefined;
}

/** How the secrets change. */
export interface SecretsChange {
  people: HtpasswdEntry[];
  /** Users with a new password. */
  changed: string[];
  removed: string[];
  /** Users of whom something else than the password is new. */
  updated?: string[];
  /** Lines of machine accounts that are kept. */
  machines: HtpasswdEntry[];
  /** Whether new machine accounts are made too. */
  newMachines: boolean;
  /** When the passwords of users that stay last changed. */
  dates: ReadonlyMap<string, Date>;
  origin: PasswordOrigin;
  login: Login | undefined;
  /** The login that stops working, if it is known. */
  former: Login | undefined;
  /** The generation that is valid if this fails; undefined on a first deploy. */
  previous: number | undefined;
}

/** "new password of ann, ci until 2027-03-01 (builds); without carl" */
export function describeChange(change: SecretsChange): string {
  const { people, changed, removed, updated = [], newMachines, previous } = change;
  const named = (user: string): string => {
    const { until, note } = people.find((entry) => entry.user === user) ?? {};
    return `${user}${until === undefined ? "" : ` until ${until}`}${note === undefined ? "" : ` (${note})`}`;
  };
  const parts = [
    ...(changed.length > 0 ? [`new password of ${changed.map(named).join(", ")}`] : []),
    ...(updated.length > 0 ? [`changed ${updated.map(named).join(", ")}`] : []),
    ...(removed.length > 0 ? [`without ${removed.join(", ")}`] : []),
    ...(newMachines && previous !== undefined ? ["new machine accounts"] : []),
  ];
  return parts.join("; ");
}
