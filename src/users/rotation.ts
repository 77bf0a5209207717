import { TEMPORARY_USER } from "../access/repositoryRules.js";
import { GENERATED_BCRYPT_COST, generatePassword } from "../credentials/password.js";
import { HTPASSWD } from "../credentials/secretKinds.js";
import { addUser, changePassword, removeUser, type UserChange } from "../credentials/userChanges.js";
import type { Login } from "../credentials/userLogin.js";
import { OperatorError } from "../errors.js";
import { checkFrontDoor, verify } from "../frontDoor/frontDoor.js";
import { recordUsers } from "../history/recordSteps.js";
import { type Deliver, handOver } from "../secrets/handover.js";
import { discardSecrets, removeOldSecrets } from "../secrets/removeSecrets.js";
import { createSecrets, showSecrets } from "../secrets/secretSteps.js";
import type { SecretsPlan } from "../secrets/secretsPlan.js";
import { underLock } from "../secrets/underLock.js";
import { type Session, uninterruptible } from "../session.js";
import { storeNewLogin } from "../swarm/storedLogins.js";
import { inStep, skipped } from "../terminal/inStep.js";
import { reportFindings } from "../terminal/showFindings.js";
import { rollUsers, rollUsersBack, showUserRoll } from "./htpasswdSwap.js";
import { planUsers } from "./planUsers.js";
import { USER_KINDS } from "./userFindings.js";

/**
 * Changes the users: creates a new generation of the htpasswd, updates the registry, tests it at the front
 * door, delivers the password, removes the old generation, and stores the password in the services that pull
 * with it. If it fails before it is delivered, the old generation is used again. Only the registry is updated;
 * gateway, reader and library keep running.
 *
 * @param deliver gets the password, if it was generated
 * @returns what was done
 * @throws OperatorError that says which passwords are valid
 */
export async function changeUsers(
  session: Session,
  change: UserChange,
  deliver: Deliver = async () => undefined,
): Promise<SecretsPlan> {
  const plan = await lookAtUsers(session, change);
  const { users } = plan.generations;
  const { options, reporter } = session;
  await checkFrontDoor(session);
  if (options.dryRun) {
    await showSecrets(session, plan);
    await showUserRoll(session, users);
    await storeNewLogin(session, plan.change?.login);
    return plan;
  }
  await underLock(session, plan.found, async () => {
    try {
      await createSecrets(session, plan);
      await rollUsers(session, users);
      await verify(session, plan);
      await inStep(reporter, { id: "hand-over", title: "New password" }, async () =>
        (await handOver(session, plan, deliver)) ? "handed over" : skipped("given, not generated"),
      );
    } catch (error) {
      throw await takeBack(uninterruptible(session), plan, error);
    }
    try {
      await recordUsers(session, plan);
      await removeSuperseded(session, plan);
      await storeNewLogin(session, plan.change?.login);
    } catch (error) {
      throw withOutcome(error, "The change is valid. The next run removes the leftovers.");
    }
  });
  return plan;
}

/**
 * Runs work as a temporary user. If a killed run left that user behind, it gets a new password and is removed
 * afterwards.
 */
export async function withTemporaryUser<T>(session: Session, work: (login: Login) => Promise<T>): Promise<T> {
  // Nobody is shown it.
  const login = { user: TEMPORARY_USER, password: generatePassword(), origin: "given" } as const;
  const password = { ...login, cost: GENERATED_BCRYPT_COST };
  await changeUsers(session, (current) =>
    (current.some(({ user }) => user === TEMPORARY_USER) ? changePassword : addUser)(password)(current),
  );
  try {
    return await work(login);
  } finally {
    await changeUsers(uninterruptible(session), removeUser(TEMPORARY_USER));
  }
}

/** Reads the users and plans the change. The files on disk are not needed. */
const lookAtUsers = (session: Session, change: UserChange): Promise<SecretsPlan> =>
  inStep(
    session.reporter,
    { id: "preflight", title: "Users" },
    async () => {
      const { plan, findings } = await planUsers(session, { change });
      if (plan.accounts.some(({ kind }) => kind !== HTPASSWD)) {
        findings.push(
          USER_KINDS.found("machine-secrets-missing", {}, "a gateway's or a UI's account has no secret"),
        );
      }
      reportFindings(session.reporter, findings);
      return plan;
    },
    ({ kept }) => `generation ${kept?.generation} is in use`,
  );

/** Removes the previous htpasswd, and leftovers of interrupted runs. */
const removeSuperseded = ({ config, docker, reporter }: Session, plan: SecretsPlan): Promise<string> =>
  inStep(reporter, { id: "clean-up", title: "Clean-up" }, async () => {
    const removed = await removeOldSecrets(docker, config.stack, plan.generations);
    return removed.length === 0 ? "nothing left over" : `removed ${removed.join(", ")}`;
  });

/** Restores the previous generation, and adds to the error which passwords are valid. */
async function takeBack(session: Session, plan: SecretsPlan, error: unknown): Promise<unknown> {
  if (plan.change === undefined || plan.kept === undefined) return error;
  try {
    await rollUsersBack(session, plan.kept.generation);
    await discardSecrets(session.docker, session.config.stack, plan.accounts);
  } catch {
    return withOutcome(
      error,
      "The rollback failed too, so either the new or the old passwords are valid. Run the same command or hephaestus deploy again to repair it.",
    );
  }
  return withOutcome(error, "The old passwords are valid.");
}

/** What is no OperatorError stays a bug. */
const withOutcome = (error: unknown, outcome: string): unknown =>
  error instanceof OperatorError ? error.withOutcome(outcome) : error;
