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
import type { NewSecret } from "../docker/swarmSecrets.js";
import type { Problem } from "../operation/findings.js";
import type { Session } from "../operation/stackSession.js";
import { generationInUse, type KeptUsers, readUserSecrets } from "../secrets/generations.js";
import type { SecretsPlan } from "../secrets/secretsPlan.js";
import { hasMirror } from "../services/mirrorSources.js";
import { judgeAges, judgeUserNames } from "./judgeUsers.js";
import { readEntries } from "./readUsers.js";

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
): Promise<{ plan: SecretsPlan; problems: Problem[] }> {
  const { config, options } = session;
  const there = await readUserSecrets(session);
  const { found, kept, machines, next } = there;
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
    if (change && !first) return { plan, problems: [noUsers(config.stack)] };
    if (options.dryRun) return { plan, problems: [] };
    if (first) return { plan: withUsers(session, plan, first.users, [], first.dates), problems: [] };
    return {
      plan: { ...plan, needsCredentials: true },
      problems: obtainable === undefined ? [nobodyToAsk()] : [],
    };
  }
  const { generation, facts, unseen } = kept;
  const inUse = generationInUse(found, HTPASSWD);
  const isUnseen = obtainable !== undefined && unseen.includes(obtainable);
  const needsCredentials = isUnseen && change === undefined && !options.dryRun;
  const unknown = unseen.filter((user) => !(needsCredentials && user === obtainable));
  const problems = [
    ...(generation === (inUse ?? generation) ? [] : [wentBack(inUse, generation)]),
    ...judgeUserNames(config, [...(facts?.changed.keys() ?? [])]),
    ...judgeAges(config.credentials.maxAge, facts),
    ...(unknown.length === 0 || change !== undefined ? [] : [neverShown(unknown)]),
  ];
  const isSame = machines !== undefined && change === undefined;
  const changed = isSame ? plan : await applyChange(session, plan, kept, change ?? keepUsers);
  return { plan: { ...changed, needsCredentials }, problems };
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
  { generation }: KeptUsers,
  change: UserChange,
): Promise<SecretsPlan> {
  const { users, machines } = splitHtpasswd(await readEntries(session, generation), plan.machines);
  const changed = applied(change, users);
  const isNothing = [...changed.changed, ...changed.removed, ...changed.updated].length === 0;
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

const noUsers = (stack: string): Problem => ({
  severity: "error",
  message: `${stack} has no users yet`,
  remedy: "Deploy it first: hephaestus deploy",
});

const nobodyToAsk = (): Problem => ({
  severity: "error",
  message: "there is no password yet, and nobody to ask for one",
  remedy:
    "Set REGISTRY_HTPASSWD, REGISTRY_USERNAME and REGISTRY_RAW_PASSWORD, or use --password-stdin or --generate-password.",
});

const neverShown = (users: readonly string[]): Problem => ({
  severity: "warning",
  message: `nothing shows that anyone was given the generated password of ${users.join(", ")}; all users are kept`,
  remedy: `If nobody knows it, set a new one: hephaestus rotate-password --user ${users[0]}`,
});

const wentBack = (from: number | undefined, to: number): Problem => ({
  severity: "warning",
  message: `the run that made generation ${from} ended before it showed the new password: going back to generation ${to}`,
  remedy: "The passwords from before that run are valid.",
});
