import {
  applied,
  type ChangedUsers,
  type Credentials,
  keepUsers,
  mergeUsers,
  type UserChange,
} from "../credentials/userChanges.js";
import type { Finding } from "../finding.js";
import { readUserSecrets } from "../secrets/generations.js";
import type { SecretsPlan } from "../secrets/secretsPlan.js";
import type { Session } from "../session.js";
import { applyChange, withUsers } from "./newUsers.js";
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
