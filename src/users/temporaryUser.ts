import { TEMPORARY_USER } from "../access/repositoryRules.js";
import { GENERATED_BCRYPT_COST, generatePassword } from "../credentials/password.js";
import { addUser, changePassword, type Login, removeUser } from "../credentials/people.js";
import type { Docker } from "../docker/run.js";
import type { DeployContext } from "../operation/context.js";
import type { PeopleRequest } from "../operation/secretsChange.js";
import { changeUsers } from "./rotation.js";

/**
 * Runs work as a temporary user. If a killed run left that user behind, it gets a new password and is removed afterwards.
 *
 * @param cleanupDocker a docker that still works after an interruption
 */
export async function withTemporaryUser<T>(
  context: DeployContext,
  cleanupDocker: Docker,
  work: (login: Login) => Promise<T>,
): Promise<T> {
  const login: Login = { user: TEMPORARY_USER, password: generatePassword() };
  const change = (request: Partial<PeopleRequest> & Pick<PeopleRequest, "apply">, docker: Docker) =>
    changeUsers(
      {
        ...context,
        docker,
        given: undefined,
        change: undefined,
        request: { login: undefined, origin: "given", former: undefined, ...request },
      },
      cleanupDocker,
      async () => undefined,
    );
  await change(
    {
      apply: (people) =>
        (people.some(({ user }) => user === TEMPORARY_USER) ? changePassword : addUser)(
          people,
          login,
          GENERATED_BCRYPT_COST,
        ),
      login,
    },
    context.docker,
  );
  try {
    return await work(login);
  } finally {
    await change({ apply: (people) => removeUser(people, TEMPORARY_USER) }, cleanupDocker);
  }
}
