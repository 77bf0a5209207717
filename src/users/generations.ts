import type { Config } from "../config/resolve.js";
import { daysBetween } from "../credentials/age.js";
import {
  candidates,
  currentMachines,
  type GenerationState,
  machineKinds,
  nextMachines,
  nextPeople,
  partHtpasswd,
  readGenerations,
} from "../credentials/generationState.js";
import { type HtpasswdEntry, parseHtpasswd, verifyPassword } from "../credentials/htpasswd.js";
import { type Change, type Login, mergePeople } from "../credentials/people.js";
import { HTPASSWD, secretName } from "../credentials/secretKinds.js";
import { secretNamesOf, stackServices } from "../docker/objects.js";
import type { Docker } from "../docker/run.js";
import { htpasswdFacts, type SecretFacts, stackSecrets } from "../docker/swarmSecrets.js";
import type { Credentials, DeployContext } from "../operation/context.js";
import type { PreflightFinding } from "../operation/findings.js";
import type { SecretsChange } from "../operation/secretsChange.js";
import { hasMirror } from "../services/mirrorSources.js";
import { judgeNames } from "./judgeNames.js";
import { keptGeneration } from "./keptGeneration.js";
import { readHtpasswd } from "./readHtpasswd.js";

/** The generations of a stack in the Swarm, and which of them have every machine account that the config needs. */
export async function readGenerationState(
  { docker, config }: Pick<DeployContext, "docker" | "config">,
  secrets: readonly SecretFacts[],
): Promise<GenerationState> {
  return readGenerations(
    config.stack,
    secrets.map(({ name }) => name),
    secretNamesOf(await stackServices(docker, config.stack)),
    machineKinds(hasMirror(config)),
  );
}

/**
 * Chooses the generations of secrets for the services, and the content of new ones. If there are none, a password
 * is needed.
 */
export async function chooseGenerations(context: DeployContext): Promise<PreflightFinding[]> {
  const { docker, config } = context;
  const secrets = await stackSecrets(docker, config.stack);
  const state = await readGenerationState(context, secrets);
  context.state = state;
  const kept = await keptGeneration(docker, config.stack, state, secrets);
  if (kept === undefined) return chooseFirst(context, state);
  const { generation } = kept;
  const facts = htpasswdFacts(secrets, generation);
  const findings =
    generation === (state.inUse.people ?? generation) ? [] : [wentBack(state.inUse.people, generation)];
  const machines = currentMachines(state);
  context.generations = { people: generation, machines: machines ?? nextMachines(state) };
  context.users = [...(facts?.changed.keys() ?? [])];
  findings.push(...judgeNames(config, context.users));
  findings.push(...judgeAges(config.credentials.maxAge, facts));
  if (!kept.isKnown && !context.given && !context.request) {
    if (context.obtain && !context.options.dryRun) context.needsCredentials = true;
    else findings.push(neverShown(generation));
  }
  if (machines !== undefined && !context.given && !context.request) return findings;
  await applyChange(context, context.given, facts);
  return findings;
}

/**
 * Adds an obtained password. Existing users stay, even if no one knows their passwords.
 *
 * @throws OperatorError when they cannot be read back
 */
export async function addCredentials(context: DeployContext, credentials: Credentials): Promise<void> {
  const { state, docker, config } = context;
  if (state === undefined || candidates(state).length === 0) {
    context.change = firstChange(credentials);
    return;
  }
  const secrets = await stackSecrets(docker, config.stack);
  await applyChange(context, credentials, htpasswdFacts(secrets, context.generations.people));
}

/** Applies the change of this run to the users of the kept generation. */
async function applyChange(
  context: DeployContext,
  given: Credentials | undefined,
  facts: SecretFacts | undefined,
): Promise<void> {
  const { state } = context;
  if (state === undefined) return;
  const change = await changeOf(
    { ...context, given },
    context.generations.people,
    currentMachines(state),
    facts,
  );
  if (change === undefined) return;
  context.generations = { ...context.generations, people: nextPeople(state) };
  context.change = change;
}

/** Whether the secrets in the Swarm are still those that preflight read. */
export async function isUnchanged(context: DeployContext): Promise<boolean> {
  const { docker, config, state } = context;
  const now = await readGenerationState(context, await stackSecrets(docker, config.stack));
  return JSON.stringify(now) === JSON.stringify(state);
}

/** The content of the secrets of a first deploy. */
export const firstChange = ({ people, origin, user, password }: Credentials): SecretsChange => ({
  people,
  changed: people.map((entry) => entry.user),
  removed: [],
  machines: [],
  newMachines: true,
  dates: new Map(),
  origin,
  login: { user, password },
  former: undefined,
  previous: undefined,
});

function chooseFirst(context: DeployContext, state: GenerationState): PreflightFinding[] {
  context.generations = { people: nextPeople(state), machines: nextMachines(state) };
  if (context.request) {
    return [
      {
        severity: "error",
        message: `${context.config.stack} has no users yet`,
        remedy: "Deploy it first: hephaestus deploy",
      },
    ];
  }
  if (context.options.dryRun) return [];
  context.needsCredentials = true;
  if (context.given ?? context.obtain ?? context.inheritsUsers) return [];
  return [
    {
      severity: "error",
      message: "there is no password yet, and nobody to ask for one",
      remedy:
        "Set REGISTRY_HTPASSWD, REGISTRY_USERNAME and REGISTRY_RAW_PASSWORD, or use --password-stdin or --generate-password.",
    },
  ];
}

const neverShown = (generation: number): PreflightFinding => ({
  severity: "warning",
  message: `nothing shows that anyone was given the generated password of generation ${generation}; all users are kept`,
  remedy: "If nobody knows it, set a new one: hephaestus rotate-password",
});

const wentBack = (from: number | undefined, to: number): PreflightFinding => ({
  severity: "warning",
  message: `the run that made generation ${from} ended before it showed the new password: going back to generation ${to}`,
  remedy: "The passwords from before that run are valid.",
});

/** The lines of one generation of the htpasswd, read back from the Swarm. */
export async function readEntries(
  docker: Docker,
  { stack, gateway }: Config,
  generation: number,
): Promise<HtpasswdEntry[]> {
  const text = await readHtpasswd(docker, stack, generation, gateway.image);
  return parseHtpasswd(text, secretName(stack, HTPASSWD, generation), true);
}

/** Reads the users and applies the change of this run; undefined if nothing changes. */
async function changeOf(
  { docker, config, given, request }: DeployContext,
  generation: number,
  machineGeneration: number | undefined,
  facts: SecretFacts | undefined,
): Promise<SecretsChange | undefined> {
  const { people, machines } = partHtpasswd(await readEntries(docker, config, generation), machineGeneration);
  const newMachines = machineGeneration === undefined;
  const result: Change = request
    ? request.apply(people)
    : given
      ? mergePeople(people, given.people, given)
      : { people, changed: [], removed: [] };
  const { changed, removed, updated = [] } = result;
  if (!newMachines && [...changed, ...removed, ...updated].length === 0) return undefined;
  const former = request?.former;
  return {
    ...result,
    machines,
    newMachines,
    dates: facts?.changed ?? new Map(),
    origin: request?.origin ?? given?.origin ?? "given",
    login: request ? request.login : given,
    former: isOpenedBy(former, people) ? former : undefined,
    previous: generation,
  };
}

const isOpenedBy = (login: Login | undefined, people: SecretsChange["people"]): boolean =>
  login !== undefined && verifyPassword(people, login.user, login.password);

/** Passwords that are older than the config wants, in days. */
export function judgeAges(
  maxAge: string | undefined,
  facts: SecretFacts | undefined,
  now = new Date(),
): PreflightFinding[] {
  if (maxAge === undefined || facts === undefined) return [];
  const dates: Array<readonly [string, Date]> =
    facts.changed.size > 0 ? [...facts.changed] : [[`generation ${facts.generation}`, facts.created]];
  return dates
    .map(([user, date]) => [user, daysBetween(date, now)] as const)
    .filter(([, days]) => days > Number.parseInt(maxAge, 10))
    .map(([user, days]) => ({
      severity: "warning",
      message: `the password of ${user} is ${days} days old (credentials.maxAge: ${maxAge})`,
      remedy: "Rotate it: hephaestus rotate-password --user NAME",
    }));
}
