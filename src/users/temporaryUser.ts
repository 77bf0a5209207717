import { TEMPORARY_USER } from "../access/repositoryRules.js";
import { GENERATED_BCRYPT_COST, generatePassword } from "../credentials/password.js";
import { addUser, changePassword, removeUser } from "../credentials/userChanges.js";
import type { Login } from "../credentials/userLogin.js";
import { type Session, uninterruptible } from "../operation/stackSession.js";
import { changeUsers } from "./rotation.js";

/** Runs work as a temporary user. If a killed run left that user behind, it gets a new password and is removed afterwards. */
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
