import { matchesGlob } from "../access/glob.js";
import { type HtpasswdEntry, parseHtpasswd } from "../credentials/htpasswd.js";
import { splitHtpasswd } from "../credentials/machineAccounts.js";
import { addEntries, applied, keepUsers } from "../credentials/userChanges.js";
import type { Login } from "../credentials/userLogin.js";
import { isReserved } from "../credentials/userNames.js";
import { stackRegistry } from "../registry/stackRegistry.js";
import { mirrorTargets } from "../services/mirrorSources.js";
import type { Session } from "../session.js";
import type { FirstUsers } from "../users/planUsers.js";
import { readUsers } from "../users/readUsers.js";
import { changeUsers } from "../users/rotation.js";
import { readStackAccount } from "../users/stackAccount.js";
import type { Backup } from "./backupDirectory.js";

/** The users of a backup. One that a killed restore had left behind then is none. */
const usersOf = ({ htpasswd, directory }: Backup): HtpasswdEntry[] =>
  htpasswd === undefined
    ? []
    : splitHtpasswd(parseHtpasswd(htpasswd, directory.path, true), undefined).users.filter(
        ({ user }) => !isReserved(user),
      );

/**
 * Adds the users that a running stack does not have. It has to be one without images, deployed for this
 * restore: elsewhere a user who was removed on purpose would be back.
 *
 * @param login who reads the images if the account of the stack cannot be read back
 */
export async function addUsers(session: Session, backup: Backup, login: Login | undefined): Promise<void> {
  const there = (await readUsers(session))?.users.map(({ user }) => user) ?? [];
  const missing = usersOf(backup).filter(({ user }) => !there.includes(user));
  if (missing.length === 0) return;
  if (await hasTags(session, login)) {
    const names = missing.map(({ user }) => user).join(", ");
    session.reporter.note(
      "warning",
      `The stack runs and has images, so its users stay as they are. The backup has more: ${names}\n    Add whom you need with: hephaestus user add NAME`,
    );
    return;
  }
  await changeUsers(session, addEntries(missing));
}

/**
 * Whether somebody pushed: a repository has a tag, also one that the login may not pull. What the mirror
 * copies does not count.
 */
async function hasTags(session: Session, login: Login | undefined): Promise<boolean> {
  const api = stackRegistry(session, (await readStackAccount(session)) ?? login);
  const targets = mirrorTargets(session.config);
  for (const repository of await api.repositories()) {
    if (targets.some((glob) => matchesGlob(glob, repository))) continue;
    if ((await api.tags(repository)).length > 0) return true;
  }
  return false;
}

/** The users of a stack that is made from a backup; nobody has to know their passwords. */
export function inheritedUsers(backup: Backup): FirstUsers | undefined {
  if (backup.htpasswd === undefined) return undefined;
  const dates = (backup.facts?.users ?? []).flatMap(({ user, changed }) =>
    changed === undefined ? [] : [[user, new Date(changed)] as const],
  );
  return { users: applied(keepUsers, usersOf(backup)), dates: new Map(dates) };
}
