import { LEAST_FREE } from "../config/limits.js";
import { ExitCode, OperatorError } from "../errors.js";
import { readCertificate } from "../frontDoor/certificate.js";
import type { FrontDoorAnswer } from "../frontDoor/questions.js";
import { lastDone } from "../history/records.js";
import type { Disk } from "../host/freeSpace.js";
import { readOnlyUntil } from "../maintenance/lease.js";
import { generationInUse } from "../secrets/generations.js";
import type { Session } from "../session.js";
import { serviceNames } from "../stack.js";
import { readStorage } from "../storage/disk.js";
import { tagsOfTask } from "../storage/storedTags.js";
import { judge } from "../swarm/convergence.js";
import { lookAtLock } from "../swarm/lock/stackLock.js";
import type { SwarmService, SwarmTask } from "../swarm/objects.js";
import { factsOf } from "./facts.js";
import { judgeEnds } from "./userChecks.js";

export interface ServiceStatus {
  name: string;
  image: string;
  running: number;
  replicas: number;
  healthy: boolean;
  /** What is not as it should be. */
  reason: string;
}

export interface Status {
  healthy: boolean;
  services: ServiceStatus[];
  /** Generations of secrets in use. */
  generation: number | undefined;
  machines: number | undefined;
  /** When the password of each user last changed. */
  passwords: Array<{ user: string; changed: Date }>;
  /** Users that have ended, or end soon. */
  ends: string[];
  registry: string;
  library: string | undefined;
  frontDoor: Array<Pick<FrontDoorAnswer, "title" | "fault">>;
  /** When the registry's certificate ends. */
  certificate: Date | undefined;
  disk: Disk | undefined;
  /** Tags that name no manifest, as repository:tag. */
  damagedTags: string[];
  lastBackup: Date | undefined;
  lastGc: Date | undefined;
  /** Until when the registry refuses pushes, and who works on it meanwhile; undefined if it takes them. */
  readOnly: { until: Date; holder: string | undefined } | undefined;
  /** What is wrong, in words. */
  faults: string[];
}

/** How the stack is now. Changes nothing. */
export async function readStatus(session: Session): Promise<Status> {
  const { config, docker, options } = session;
  const { stack } = config;
  const facts = factsOf({ ...session, warnings: [], folder: options.folder });
  const { urls } = facts;
  const running = await facts.services();
  const services = serviceNames(config).map((name) => {
    const found = running.find(({ service }) => service.Spec.Name === `${stack}_${name}`);
    return serviceStatus(name, found?.service, found?.tasks ?? []);
  });
  const htpasswd = await facts.htpasswd();
  const records = await facts.records();
  const until = readOnlyUntil(await facts.bareServices(), stack);
  const lock = until === undefined ? undefined : await lookAtLock(docker, stack);
  const holder = lock && !lock.stale ? lock.holder : undefined;
  const [frontDoor, certificate, storage, tags] = await Promise.all([
    options.verify ? facts.frontDoor() : [],
    readCertificate(urls.registry).then((shown) => shown?.until),
    readStorage(docker, stack),
    config.registry.storage.driver === "filesystem"
      ? tagsOfTask(docker, stack).catch(onlyInterruption)
      : undefined,
  ]);
  const status = {
    services,
    generation: await facts.usersInUse(),
    machines: generationInUse(await facts.secrets(), "gateway"),
    passwords: [...(htpasswd?.changed ?? [])].map(([user, changed]) => ({ user, changed })),
    ends: judgeEnds(htpasswd, new Date()).map(({ message }) => message),
    registry: urls.registry,
    library: urls.ui,
    frontDoor,
    certificate,
    disk: storage?.disk,
    damagedTags: tags?.damaged ?? [],
    lastBackup: lastDone(records, "backup"),
    lastGc: lastDone(records, "gc"),
    readOnly: until === undefined ? undefined : { until: new Date(until * 1000), holder },
  };
  const faults = faultsOf(status, new Date());
  return { ...status, faults, healthy: faults.length === 0 };
}

/** Tags that cannot be read are no fault here: the task may just have been replaced, and doctor says so. */
function onlyInterruption(error: unknown): undefined {
  if (error instanceof OperatorError && error.exitCode !== ExitCode.interrupted) return undefined;
  throw error;
}

/** The status of a service. Pure. */
export function serviceStatus(
  name: string,
  service: SwarmService | undefined,
  tasks: readonly SwarmTask[],
): ServiceStatus {
  if (!service)
    return { name, image: "", running: 0, replicas: 0, healthy: false, reason: "is not deployed" };
  const { state, running, replicas, reason } = judge(service, tasks, new Date().toISOString(), "back");
  const off = replicas === 0;
  return {
    name,
    image: service.Spec.TaskTemplate.ContainerSpec.Image.replace(/@sha256:(\w{12})\w+$/, "@$1"),
    running,
    replicas,
    healthy: state === "converged" && !off,
    reason: off ? "is scaled to 0" : reason,
  };
}

/** The faults of a status. Pure. */
export function faultsOf(status: Omit<Status, "faults" | "healthy">, now: Date): string[] {
  const { services, frontDoor, certificate, disk, damagedTags, readOnly } = status;
  const faults = services
    .filter(({ healthy }) => !healthy)
    .map(({ name, running, replicas, reason }) => `${name}: ${running}/${replicas} tasks run: ${reason}`);
  for (const { title, fault } of frontDoor) if (fault !== undefined) faults.push(`${title}: ${fault}`);
  if (certificate && certificate.getTime() < now.getTime())
    faults.push(`the certificate ended on ${certificate.toISOString().slice(0, 10)}`);
  if (disk && disk.free < LEAST_FREE.errorShare * disk.size) faults.push("the storage is nearly full");
  const [first, ...more] = damagedTags;
  if (first !== undefined)
    faults.push(
      `the tag ${first}${more.length > 0 ? ` and ${more.length} more name` : " names"} no manifest (see: hephaestus doctor)`,
    );
  if (readOnly && !readOnly.holder)
    faults.push(
      `pushes are refused until ${readOnly.until.toISOString()}: a gc was interrupted (fix it with hephaestus gc or deploy)`,
    );
  return faults;
}
