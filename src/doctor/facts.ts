import type { Finding as ConfigFinding } from "../config/configFindings.js";
import { type Config, publicUrls } from "../config/resolve.js";
import { HTPASSWD } from "../credentials/secretKinds.js";
import { serviceDifferences } from "../diff/serviceDifferences.js";
import { readEndpoint } from "../docker/endpoint.js";
import type { Docker } from "../docker/run.js";
import { verifyFrontDoor } from "../frontDoor/frontDoor.js";
import { readRecords } from "../history/records.js";
import { kernelHasIpvs } from "../host/kernel.js";
import type { RenderedFile } from "../render/renderedFile.js";
import {
  candidates,
  generationInUse,
  htpasswdFacts,
  keptMachines,
  readStackSecrets,
} from "../secrets/generations.js";
import { unseenUsers } from "../secrets/handover.js";
import { reportSecrets } from "../secrets/secretsReport.js";
import { readEngine } from "../swarm/engine.js";
import { helperServices } from "../swarm/leftovers.js";
import { isDead, lookAtLock } from "../swarm/lock/stackLock.js";
import {
  listServices,
  type SwarmService,
  type SwarmTask,
  stackService,
  stackServices,
  tasksOf,
} from "../swarm/objects.js";
import { readServiceLog } from "../swarm/serviceLogs.js";
import { readSwarmFacts } from "../swarm/swarmFacts.js";
import { readTraefik } from "./traefikApi.js";

/** The stack that doctor examines. */
export interface Subject {
  config: Config;
  /** Of the config's own rules. */
  warnings: readonly ConfigFinding[];
  files: readonly RenderedFile[];
  /** Folder of the compose file. */
  folder: string;
  docker: Docker;
  /** Aborts on an interruption. */
  signal: AbortSignal;
}

/** A service with what the Swarm remembers of its tasks, the newest first. */
export interface ServiceFacts {
  service: SwarmService;
  tasks: readonly SwarmTask[];
}

const DAY = 24 * 3600 * 1000;

/** Reads a fact once for all checks; a failure reaches each of them. */
function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let asked: Promise<T> | undefined;
  return () => {
    asked ??= ask();
    return asked;
  };
}

/** All facts of Docker, the front door and Traefik. Each is read when a check first needs it. */
export function factsOf(subject: Subject) {
  const { config, docker } = subject;
  const { stack } = config;

  const endpoint = once(() => readEndpoint(docker));
  const swarm = once(async () =>
    readSwarmFacts(docker, config, (await endpoint()).isLocal ? kernelHasIpvs() : undefined),
  );
  const engine = once(() => readEngine(docker));

  const withTasks = (list: typeof stackServices) => async (): Promise<ServiceFacts[]> => {
    const found = await list(docker, stack);
    const tasks = await tasksOf(docker, found);
    return found.map((service) => ({ service, tasks: tasks(service) }));
  };
  const services = once(withTasks(stackServices));
  const bareServices = once(async () => (await services()).map(({ service }) => service));
  const service = async (name: string): Promise<SwarmService | undefined> =>
    stackService(await bareServices(), stack, name);

  const secrets = once(() => readStackSecrets(docker, stack));
  /** The generation of the htpasswd that the registry uses. */
  const usersInUse = async () => generationInUse(await secrets(), HTPASSWD);
  const htpasswd = once(async () => htpasswdFacts(await secrets(), await usersInUse()));
  /** Users whose generated passwords nobody was shown. */
  const unseen = async () => unseenUsers(docker, stack, await htpasswd());
  /** Judged as by an operation that would take it: one that looks dead is watched for a while. */
  const lock = once(async () => {
    const state = await lookAtLock(docker, stack);
    return state && { ...state, stale: await isDead(docker, stack, state) };
  });

  return {
    ...subject,
    urls: publicUrls(config),
    endpoint,
    swarm,
    engine,
    services,
    bareServices,
    service,
    /** Services that hephaestus started, and that are no part of the stack. */
    helpers: once(withTasks(helperServices)),
    /** All services of the Swarm. */
    allServices: once(() => listServices(docker)),
    secrets,
    secretReports: once(() => reportSecrets({ docker, config })),
    /** What a deploy would change; nothing if it would make secrets first. */
    differences: async () => {
      const found = await secrets();
      const [users, machines] = [candidates(found)[0], keptMachines(found, config)];
      if (users === undefined || machines === undefined) return [];
      return serviceDifferences(subject, { users, machines });
    },
    /** What was done to the stack, the oldest first. */
    records: once(() => readRecords(docker, stack)),
    /** What a service has logged in the last day. */
    logOf: (service: string) =>
      readServiceLog(docker, `${stack}_${service}`, { since: new Date(Date.now() - DAY).toISOString() }),
    usersInUse,
    /** The htpasswd of that generation. */
    htpasswd,
    unseen,
    lock,
    /** Whether an operation works on the stack now. */
    isLocked: async () => {
      const state = await lock();
      return state !== undefined && !state.stale;
    },
    frontDoor: once(() => verifyFrontDoor(config, {}, 0, subject.signal)),
    traefik: once(() => readTraefik(config)),
  };
}

export type Facts = ReturnType<typeof factsOf>;
