import { firstMatch } from "../access/repositoryRules.js";
import type { Login } from "../credentials/people.js";
import type { DeployContext } from "../operation/context.js";
import { RegistryApi } from "../registry/registryApi.js";
import { RegistryClient } from "../registry/registryClient.js";
import { readStackAccount } from "../users/stackAccount.js";
import { retentionSelections, unseenOf } from "./retentionPolicy.js";

/**
 * What of the repositories that `retention` decides about a user does not see: by name, where the stack's own account can be asked.
 *
 * @param url where the registry answers
 * @param seen names of the repositories that the user sees
 * @returns sentences
 */
export async function unseenRepositories(
  context: DeployContext,
  url: string,
  { user }: Login,
  seen: readonly string[],
): Promise<string[]> {
  const { config, signal } = context;
  const byRules = unseenOf(retentionSelections(config), config, user, seen);
  const own = byRules.length === 0 ? undefined : await readStackAccount(context);
  if (own === undefined) return byRules;
  const names = new Set(seen);
  const all = await new RegistryApi(new RegistryClient(url, own, signal)).repositories();
  return all
    .filter((name) => !names.has(name) && firstMatch(config.retention, name) !== undefined)
    .map((name) => `${name}: ${user} may not pull it`);
}
