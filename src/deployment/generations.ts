import type { Config } from "../config/resolve.js";
import { daysBetween } from "../credentials/age.js";
import {
  candidates,
  currentMachines,
  type GenerationState,
  nextMachines,
  nextPeople,
  partHtpasswd,
  readGenerations,
} from "../credentials/generation.js";
import { type HtpasswdEntry, parseHtpasswd, verifyPassword } from "../credentials/htpasswd.js";
import { HTPASSWD, secretName } from "../credentials/names.js";
import { type Change, type Login, mergePeople } from "../credentials/people.js";
import type { Docker } from "../swarm/docker.js";
import { readHtpasswd } from "../swarm/htpasswd.js";
import { wasHandedOver } from "../swarm/leftovers.js";
import { stackServices } from "../swarm/objects.js";
import type { PreflightFinding } from "../swarm/preflight.js";
import { htpasswdFacts, type SecretFacts, stackSecrets } from "../swarm/secrets.js";
import type { Credentials, DeployContext, SecretsChange } from "./context.js";

/** The generations of a stack in the Swarm. */
export async function readGenerationState(
  docker: Docker,
  stack: string,
  secrets: readonly SecretFacts[],
): Promise<GenerationState> {
  const services = await stackServices(docker, stack);
  const used = services.flatMap(
    ({ Spec }) => Spec.TaskTemplate.ContainerSpec.Secrets?.map(({ SecretName }) => SecretName) ?? [],
  );
  return readGenerations(
    stack,
    secrets.map(({ name }) => name),
    used,
  );
}

/**
 * Decides which generations of secrets the services shall use, and what new ones are made from. Where none can be kept,
 * somebody has to have a password.
 */
export async function chooseGenerations(context: DeployContext): Promise<PreflightFinding[]> {
  const { docker, config } = context;
  const secrets = await stackSecrets(docker, config.stack);
  const state = await readGenerationState(docker, config.stack, secrets);
  context.state = state;
  const known = await firstKnown(docker, config.stack, state, secrets);
  if (known === undefined) return chooseFirst(context, state);
  const findings = known === (state.inUse.people ?? known) ? [] : [wentBack(state.inUse.people, known)];
  const machines = currentMachines(state);
  context.generations = { people: known, machines: machines ?? nextMachines(state) };
  findings.push(...judgeAges(config.credentials.maxAge, htpasswdFacts(secrets, known)));
  if (machines !== undefined && !context.given && !context.request) return findings;
  const change = await changeOf(context, known, machines, htpasswdFacts(secrets, known));
  if (change === undefined) return findings;
  context.generations = { ...context.generations, people: nextPeople(state) };
  context.change = change;
  return findings;
}

/** Whether the Swarm's secrets are still those that preflight saw. */
export async function isUnchanged({ docker, config, state }: DeployContext): Promise<boolean> {
  const secrets = await stackSecrets(docker, config.stack);
  const now = await readGenerationState(docker, config.stack, secrets);
  return JSON.stringify(now) === JSON.stringify(state);
}

/** What the secrets of a first deploy are made from. */
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

/** The best generation whose password somebody knows: a generated one that a killed run never showed is of no use. */
export async function firstKnown(
  docker: Docker,
  stack: string,
  state: GenerationState,
  secrets: readonly SecretFacts[],
): Promise<number | undefined> {
  for (const generation of candidates(state)) {
    const facts = htpasswdFacts(secrets, generation);
    if (facts === undefined) continue;
    if (facts.origin !== "generated" || (await wasHandedOver(docker, stack, generation))) return generation;
  }
  return undefined;
}

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

/** Reads the users, and applies what this run is for; undefined where nothing changes. */
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
  if (!newMachines && result.changed.length === 0 && result.removed.length === 0) return undefined;
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
