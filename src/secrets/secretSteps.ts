import { httpSecretContent } from "../credentials/machineAccounts.js";
import { familyOf, HTPASSWD, HTTP_SECRET, secretName } from "../credentials/secretKinds.js";
import type { Docker } from "../docker/run.js";
import { type NewSecret, stackSecretNames, writeSecret } from "../docker/swarmSecrets.js";
import { ExitCode, OperatorError } from "../errors.js";
import { withLock } from "../operation/stackLock.js";
import type { Session } from "../operation/stackSession.js";
import { inStep } from "../terminal/inStep.js";
import { hasSameSecrets, readStackSecrets, type StackSecrets } from "./generations.js";
import { OPERATOR_SECRETS, type OperatorFamily } from "./operatorSecrets.js";
import type { SecretsPlan } from "./secretsPlan.js";

/**
 * Runs an operation under the lock, if the secrets have not changed since preflight.
 *
 * @param found what preflight read
 * @throws OperatorError when another operation works on it, or has changed its secrets since preflight
 */
export async function underLock<T>(
  session: Session,
  found: StackSecrets,
  work: () => Promise<T>,
): Promise<T> {
  const { stack } = session.config;
  return withLock(session, stack, async () => {
    if (hasSameSecrets(found, await readStackSecrets(session.docker, stack))) return work();
    throw new OperatorError(`the secrets of ${stack} were changed by another process`, {
      remedy: "Nothing was changed. Run the same command again.",
      exitCode: ExitCode.locked,
    });
  });
}

const SECRETS = { id: "secrets", title: "Secrets" } as const;

/** Writes the accounts that are new, and the http.secret of a first deploy. The htpasswd comes last: if it exists, the others do. */
export const createSecrets = (
  { config: { stack }, docker, reporter }: Session,
  { accounts, change, generations, note }: SecretsPlan,
): Promise<string> =>
  inStep(reporter, SECRETS, async () => {
    if (!(await stackSecretNames(docker, stack)).includes(secretName(stack, HTTP_SECRET, 1))) {
      const content = httpSecretContent();
      await writeSecret(docker, stack, { kind: HTTP_SECRET, generation: 1, content });
    }
    if (!change) return `generation ${generations.users} kept`;
    await writeAll(docker, stack, accounts);
    return [`generation ${generations.users} created`, note].filter(Boolean).join(": ");
  });

/** What would become of the accounts. */
export const showSecrets = (
  { config: { stack }, docker, reporter }: Session,
  { generations: { users }, note }: SecretsPlan,
): Promise<string> =>
  inStep(reporter, SECRETS, async () =>
    (await stackSecretNames(docker, stack)).includes(secretName(stack, HTPASSWD, users))
      ? `generation ${users} would be kept`
      : [`generation ${users} would be created`, note].filter(Boolean).join(": "),
  );

/** Writes what the operator gave, if it is new. */
export async function createOperatorSecrets(session: Session, plan: SecretsPlan): Promise<void> {
  await create(session, plan, { id: "storage-keys", title: "Storage keys" }, ["storage"]);
  const others = ["mirror-logins", "notification-headers"] as const;
  await create(session, plan, { id: "given-secrets", title: "Logins and headers" }, others);
}

async function create(
  { config, docker, reporter }: Session,
  { generations, given }: SecretsPlan,
  title: { id: string; title: string },
  families: readonly OperatorFamily[],
): Promise<void> {
  if (families.every((family) => OPERATOR_SECRETS[family].kinds(config).length === 0)) return;
  await inStep(reporter, title, async () => {
    const created = await writeAll(
      docker,
      config.stack,
      given.filter(({ kind }) => families.some((family) => family === familyOf(kind))),
    );
    if (created.length > 0) return `${created.join(", ")} created`;
    return families.includes("storage") ? `generation ${generations.storage} kept` : "kept";
  });
}

/** @returns names of what was written */
async function writeAll(docker: Docker, stack: string, secrets: readonly NewSecret[]): Promise<string[]> {
  for (const secret of secrets) await writeSecret(docker, stack, secret);
  return secrets.map(({ kind, generation }) => secretName(stack, kind, generation));
}
