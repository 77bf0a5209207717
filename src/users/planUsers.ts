import { formatHtpasswd, type HtpasswdEntry } from "../credentials/htpasswd.js";
import { machineAccounts, machineKinds, splitHtpasswd } from "../credentials/machineAccounts.js";
import { HTPASSWD } from "../credentials/secretKinds.js";
import {
  applied,
  type ChangedUsers,
  type Credentials,
  describeChange,
  keepUsers,
  mergeUsers,
  type UserChange,
} from "../credentials/userChanges.js";
import type { Finding } from "../finding.js";
import { type KeptUsers, readUserSecrets } from "../secrets/generations.js";
import type { SecretsPlan } from "../secrets/secretsPlan.js";
import { hasMirror } from "../services/mirrorSources.js";
import type { Session } from "../session.js";
import type { NewSecret } from "../swarm/secrets.js";
import { readEntries } from "./readUsers.js";
import { judgeAges, judgeHandOver, judgeUserNames, USER_KINDS } from "./userFindings.js";

/** Users for a stack that has none, and when their passwords last changed, if that is known. */
export interface FirstUsers {
  users: ChangedUsers;
  dates?: ReadonlyMap<string, Date>;
}

/** What a command wants of the users. */
export interface UserWishes {
  /** What becomes of the users that are there; by default they stay. Without `first` it needs some. */
  change?: UserChange | undefined;
  /** The users of a stack that has none. */
  first?: FirstUsers | undefined;
  /** The user whose password can be asked for or generated after preflight. */
  obtainable?: string | undefined;
}

/** What a deploy wants with credentials that it was given. */
export const bringing = (given: Credentials | undefined): UserWishes =>
  given === undefined ? {} : { change: mergeUsers(given), first: { users: applied(mergeUsers(given), []) } };

/**
 * Chooses the generations of the htpasswd and of the machine accounts, and makes the content of new ones.
 *
 * @returns the plan, and what preflight has to say of the users
 * @throws OperatorError when a change is refused, or the users cannot be read back
 */
export async function planUsers(
  session: Session,
  { change, first, obtainable }: UserWishes,
): Promise<{ plan: SecretsPlan; findings: Finding[] }> {
  const { config, options } = session;
  const there = await readUserSecrets(session);
  const { kept, inUse, machines, next } = there;
  const plan: SecretsPlan = {
    ...there,
    generations: {
      users: kept?.generation ?? next.users,
      // Those of a stack without users are made with them, whatever a run that was killed has left.
      machines: (kept && machines) ?? next.machines,
    },
    change: undefined,
    note: "",
    login: undefined,
    accounts: [],
    given: [],
    needsCredentials: false,
  };
  if (kept === undefined) {
    if (change && !first) return { plan, findings: [noUsers(config.stack)] };
    if (options.dryRun) return { plan, findings: [] };
    if (first) return { plan: withUsers(session, plan, first.users, [], first.dates), findings: [] };
    return {
      plan: { ...plan, needsCredentials: true },
      findings: obtainable === undefined ? [nobodyToAsk()] : [],
    };
  }
  const { generation, facts, unseen } = kept;
  const isUnseen = obtainable !== undefined && unseen.includes(obtainable);
  const needsCredentials = isUnseen && change === undefined && !options.dryRun;
  const unknown = unseen.filter((user) => !(needsCredentials && user === obtainable));
  const findings = [
    ...(generation === (inUse ?? generation) ? [] : [tookBack(inUse, generation)]),
    ...judgeUserNames(config, facts),
    ...judgeAges(config.credentials.maxAge, facts),
    ...(change !== undefined ? [] : judgeHandOver(facts, unknown, "warning")),
  ];
  const isSame = machines !== undefined && change === undefined;
  const changed = isSame ? plan : await applyChange(session, plan, kept, change ?? keepUsers);
  return { plan: { ...changed, needsCredentials }, findings };
}

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
async function applyChange(
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
function withUsers(
  session: Session,
  plan: SecretsPlan,
  change: ChangedUsers,
  machines: readonly HtpasswdEntry[] = [],
  dates: ReadonlyMap<string, Date> = plan.kept?.facts?.changed ?? new Map(),
): SecretsPlan {
  const { generations, kept } = plan;
  const newMachines = kept === undefined || plan.machines === undefined;
  const kinds = newMachines ? machineKinds(hasMirror(session.config)) : [];
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

const noUsers = (stack: string): Finding =>
  USER_KINDS.found("users-missing", { stack }, `no secret of ${stack} is an htpasswd`);

const nobodyToAsk = (): Finding =>
  USER_KINDS.found("password-not-given", {}, "no variable and no option has one, and this is no terminal");

const tookBack = (unfinished: number | undefined, generation: number): Finding =>
  USER_KINDS.found(
    "password-taken-back",
    { unfinished: unfinished ?? "", generation },
    `the marker of a hand-over of generation ${unfinished} is missing`,
  );
