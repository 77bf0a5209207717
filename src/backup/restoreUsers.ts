import { matchesGlob } from "../access/glob.js";
import { partHtpasswd } from "../credentials/generationState.js";
import { type HtpasswdEntry, parseHtpasswd } from "../credentials/htpasswd.js";
import type { Login } from "../credentials/people.js";
import { isReserved } from "../credentials/userNames.js";
import type { Docker } from "../docker/run.js";
import type { DeployContext } from "../operation/context.js";
import type { SecretsChange } from "../operation/secretsChange.js";
import { RegistryApi } from "../registry/registryApi.js";
import { RegistryClient } from "../registry/registryClient.js";
import { mirrorTargets } from "../services/mirrorSources.js";
import { readPeople } from "../users/listUsers.js";
import { changeUsers } from "../users/rotation.js";
import { readStackAccount } from "../users/stackAccount.js";
import type { Backup } from "./backupDirectory.js";

/** A running stack, and the backup that is restored into it. */
interface Request {
  backup: Backup;
  /** Where the registry answers. */
  url: string;
  login: Login | undefined;
  cleanupDocker: Docker;
  signal: AbortSignal;
}

/** The users of a backup. One that a killed restore had left behind then is none. */
const usersOf = ({ htpasswd, directory }: Backup): HtpasswdEntry[] =>
  htpasswd === undefined
    ? []
    : partHtpasswd(parseHtpasswd(htpasswd, directory.path, true), undefined).people.filter(
        ({ user }) => !isReserved(user),
      );

/**
 * Adds the users that a running stack does not have. It has to be one without images, deployed for this restore: elsewhere a user
 * who was removed on purpose would be back.
 */
export async function addUsers(context: DeployContext, request: Request): Promise<void> {
  const { backup, cleanupDocker } = request;
  const there = (await readPeople(context))?.people.map(({ user }) => user) ?? [];
  const missing = usersOf(backup).filter(({ user }) => !there.includes(user));
  if (missing.length === 0) return;
  const names = missing.map(({ user }) => user);
  if (await hasTags(context, request)) {
    context.reporter.note(
      "warning",
      `The stack runs and has images, so its users stay as they are. The backup has more: ${names.join(", ")}\n    Add whom you need with: hephaestus user add NAME`,
    );
    return;
  }
  await changeUsers(
    {
      ...context,
      given: undefined,
      change: undefined,
      request: {
        apply: (people) => ({ people: [...people, ...missing], changed: names, removed: [] }),
        login: undefined,
        origin: "given",
        former: undefined,
      },
    },
    cleanupDocker,
    async () => undefined,
  );
}

/** Whether somebody pushed: a repository has a tag, also one that the login may not pull. What the mirror copies does not count. */
async function hasTags(context: DeployContext, { url, login, signal }: Request): Promise<boolean> {
  const api = new RegistryApi(new RegistryClient(url, (await readStackAccount(context)) ?? login, signal));
  const targets = mirrorTargets(context.config);
  for (const repository of await api.repositories()) {
    if (targets.some((glob) => matchesGlob(glob, repository))) continue;
    if ((await api.tags(repository)).length > 0) return true;
  }
  return false;
}

/** The secrets are made from the backup's users, whose passwords nobody has to know. */
export function inheritedChange(backup: Backup): SecretsChange | undefined {
  const { htpasswd, facts } = backup;
  if (!htpasswd) return undefined;
  const dates = (facts?.users ?? []).flatMap(({ user, changed }) =>
    changed === undefined ? [] : [[user, new Date(changed)] as const],
  );
  return {
    people: usersOf(backup),
    changed: [],
    removed: [],
    machines: [],
    newMachines: true,
    dates: new Map(dates),
    origin: "given",
    login: undefined,
    former: undefined,
    previous: undefined,
  };
}
