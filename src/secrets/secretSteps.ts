import { httpSecretContent } from "../credentials/machineAccounts.js";
import { HTPASSWD, HTTP_SECRET, secretName } from "../credentials/secretKinds.js";
import type { Session } from "../session.js";
import { stackSecretNames, writeSecret } from "../swarm/secrets.js";
import { inStep } from "../terminal/inStep.js";
import { OPERATOR_FAMILIES } from "./operatorSecrets.js";
import type { SecretsPlan } from "./secretsPlan.js";

const SECRETS = { id: "secrets", title: "Secrets" } as const;

/**
 * Writes the accounts that are new, and the http.secret of a first deploy. The htpasswd comes last: if it
 * exists, the others do.
 */
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
    for (const secret of accounts) await writeSecret(docker, stack, secret);
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
export async function createOperatorSecrets(
  { config: { stack }, docker, reporter }: Session,
  { generations, given }: SecretsPlan,
): Promise<void> {
  if (OPERATOR_FAMILIES.every((family) => generations[family] === undefined)) return;
  await inStep(reporter, { id: "given-secrets", title: "Keys, logins and headers" }, async () => {
    for (const secret of given) await writeSecret(docker, stack, secret);
    const names = given.map(({ kind, generation }) => secretName(stack, kind, generation));
    return names.length > 0 ? `${names.join(", ")} created` : "kept";
  });
}
