import { formatHtpasswd, type HtpasswdEntry } from "../credentials/htpasswd.js";
import { machineAccounts, splitHtpasswd } from "../credentials/machineAccounts.js";
import { HTPASSWD } from "../credentials/secretKinds.js";
import {
  applied,
  type ChangedUsers,
  type Credentials,
  describeChange,
  mergeUsers,
  type UserChange,
} from "../credentials/userChanges.js";
import { type KeptUsers, machinesOf } from "../secrets/generations.js";
import type { SecretsPlan } from "../secrets/secretsPlan.js";
import type { Session } from "../session.js";
import type { NewSecret } from "../swarm/secrets.js";
import { readEntries } from "./readUsers.js";

/** Extends a plan by the users whose new generation it writes. */

/**
 * The plan with an obtained password. Existing users stay, even if no one knows their passwords.
 *
 * @throws OperatorError when they cannot be read back
 */
export const withCredentials = async (
  session: Session,
  plan: SecretsPlan,
  credentials: Credentials,
): Promise<SecretsPlan> =>
  plan.kept === undefined
    ? withUsers(session, plan, applied(mergeUsers(credentials), []))
    : applyChange(session, plan, plan.kept, mergeUsers(credentials));

/** Applies a change to the users of the kept generation. One that changes nothing makes no new generation. */
export async function applyChange(
  session: Session,
  plan: SecretsPlan,
  { generation, unseen }: KeptUsers,
  change: UserChange,
): Promise<SecretsPlan> {
  const { users, machines } = splitHtpasswd(await readEntries(session, generation), plan.machines);
  const changed = applied(change, users);
  // Who gives the password of a user knows it, which the next generation says.
  const seen = unseen.filter((user) => user === changed.login?.user);
  const isNothing = [...changed.changed, ...changed.removed, ...changed.updated, ...seen].length === 0;
  if (isNothing && plan.machines !== undefined) return { ...plan, login: changed.login };
  const next = { ...plan, generations: { ...plan.generations, users: plan.next.users } };
  return withUsers(session, next, changed, machines);
}

/**
 * The plan with users, whose new generation it writes.
 *
 * @param machines lines of the machine accounts that stay
 * @param dates when passwords last changed
 */
export function withUsers(
  session: Session,
  plan: SecretsPlan,
  change: ChangedUsers,
  machines: readonly HtpasswdEntry[] = [],
  dates: ReadonlyMap<string, Date> = plan.kept?.facts?.changed ?? new Map(),
): SecretsPlan {
  const { generations, kept } = plan;
  const newMachines = kept === undefined || plan.machines === undefined;
  const kinds = newMachines ? machinesOf(session.config) : [];
  const machineSecrets = machineAccounts(generations.machines, kinds);
  const note = [
    describeChange(change),
    ...(newMachines && kept !== undefined ? ["new machine accounts"] : []),
  ];
  const htpasswd: NewSecret = {
    kind: HTPASSWD,
    generation: generations.users,
    generated: generatedOf(change, plan),
    content: formatHtpasswd([...change.users, ...machines, ...machineSecrets.map(({ entry }) => entry)]),
    changed: datesOf(change, dates),
    ends: endsOf(change.users),
  };
  return {
    ...plan,
    change,
    note: note.filter(Boolean).join("; "),
    login: change.login,
    accounts: [
      ...machineSecrets.map(
        ({ kind, content }): NewSecret => ({
          kind,
          content,
          generation: generations.machines,
        }),
      ),
      htpasswd,
    ],
  };
}

/** When each user's password last changed. */
function datesOf({ users, changed }: ChangedUsers, dates: ReadonlyMap<string, Date>): Map<string, Date> {
  const now = new Date();
  const entries = users.map(({ user }) => [user, changed.includes(user) ? now : dates.get(user)] as const);
  return new Map(entries.filter((entry): entry is [string, Date] => entry[1] !== undefined));
}

/** Users whose generated passwords nobody was shown yet: the new one, and those of before that stay. */
function generatedOf(
  { users, changed, login }: ChangedUsers,
  { kept, generations }: SecretsPlan,
): Map<string, number> {
  const isNew = (user: string) => changed.includes(user) || user === login?.user;
  const stay = users.filter(({ user }) => kept?.unseen.includes(user) && !isNew(user));
  return new Map([
    ...stay.map(({ user }) => [user, kept?.generation ?? 0] as const),
    ...(login?.origin === "generated" ? [[login.user, generations.users] as const] : []),
  ]);
}

/** The first day on which each user that ends is refused. */
const endsOf = (users: ChangedUsers["users"]): Map<string, string> =>
  new Map(users.flatMap(({ user, until }) => (until === undefined ? [] : [[user, until] as const])));
