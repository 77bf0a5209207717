import { firstMatch } from "../access/repositoryRules.js";
import type { Login } from "../credentials/userLogin.js";
import type { Session } from "../operation/stackSession.js";
import { stackRegistry } from "../registry/stackRegistry.js";
import { readStackAccount } from "../users/stackAccount.js";
import { retentionSelections, unseenOf } from "./retentionPolicy.js";

/**
 * The repositories with a rule of `retention` that a user does not see: by name, if the stack's own account
 * can be asked.
 *
 * @param seen names of the repositories that the user sees
 * @returns sentences
 */
export async function unseenRepositories(
  session: Session,
  { user }: Login,
  seen: readonly string[],
): Promise<string[]> {
  const { config } = session;
  const byRules = unseenOf(retentionSelections(config), config, user, seen);
  const own = byRules.length === 0 ? undefined : await readStackAccount(session);
  if (own === undefined) return byRules;
  const names = new Set(seen);
  const all = await stackRegistry(session, own).repositories();
  return all
    .filter((name) => !names.has(name) && firstMatch(config.retention, name) !== undefined)
    .map((name) => `${name}: ${user} may not pull it`);
}
