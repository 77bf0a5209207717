import type { StorageSecret } from "../credentials/secretKinds.js";
import { ExitCode, OperatorError } from "../errors.js";
import { recordEvent } from "../history/recordSteps.js";
import { loadJobScript } from "../render/templates.js";
import { drainSeconds, fitsBeside } from "../services/parts.js";
import { STORAGE } from "../services/storageParts.js";
import type { Session } from "../session.js";
import { type RunningStorage, storageOfRegistry } from "../storage/runningStorage.js";
import { engineTime } from "../swarm/engine.js";
import { type Job, runJob } from "../swarm/jobs.js";
import { withLock } from "../swarm/lock/stackLock.js";
import type { SwarmService } from "../swarm/objects.js";
import { deployedRegistry, registryRollSeconds } from "../swarm/registryUpdate.js";
import { inStep } from "../terminal/inStep.js";
import { endLeftReadOnly, whileReadOnly } from "./lease.js";

export interface GcOptions {
  /** Whether to delete manifests without a tag first. */
  deleteUntagged: boolean;
  dryRun: boolean;
}

/** What a gc frees, or would free. */
export interface GcResult {
  blobs: number;
  /** Undefined if the storage does not say: in a bucket. */
  bytes: number | undefined;
  /** Manifests that no tag needs, as repository@digest. */
  untagged: string[];
}

/** Seconds between the deadline of the gc job and the end of the read-only lease. */
const MARGIN_SECONDS = 60;

/** Runs a gc under the stack's lock, and records it. */
export const runGc = (session: Session, options: GcOptions): Promise<GcResult> =>
  withLock(session, session.config.stack, async () => {
    const collection = await collectGarbage(session, options);
    if (!options.dryRun) await recordEvent(session, "gc", describeGc(collection), { done: ["gc"] });
    return collection;
  });

/** What a gc did, for the history. */
export const describeGc = ({ blobs, bytes }: GcResult): string =>
  `freed ${blobs} blobs${bytes === undefined ? "" : `, ${bytes} bytes`}`;

/**
 * Runs the garbage collector of the registry in a job on the node of the storage, while the registry refuses
 * pushes. It accepts them again in any case: the registry is made writable afterwards, and if this process is
 * killed the lease of the registry ends by itself, after the job. The caller holds the stack's lock.
 *
 * @throws OperatorError when the gc failed or did not finish; blobs that a manifest needs are never removed
 */
export async function collectGarbage(session: Session, options: GcOptions): Promise<GcResult> {
  const { config, docker, reporter } = session;
  const { stack } = config;
  const seconds = session.options.timeoutSeconds;
  const drain = drainSeconds(fitsBeside(config.registry.placement));
  const roll = registryRollSeconds(config);
  const lease = 2 * roll + drain + seconds + MARGIN_SECONDS;
  const registry = await deployedRegistry(docker, stack);
  const storage = await storageOfRegistry(docker, registry);
  if (!storage)
    throw new OperatorError("has no registry that has ever run, so it is not known where its images are", {
      where: stack,
      remedy: "Deploy it first: hephaestus deploy",
      exitCode: ExitCode.preflight,
    });
  const until = Math.floor(Date.parse(await engineTime(docker)) / 1000) + lease;
  const job = gcJob(
    registry,
    storage,
    until - MARGIN_SECONDS,
    options,
    config.registry.placement.constraints,
  );
  const collect = () =>
    inStep(
      reporter,
      { id: "gc", title: options.dryRun ? "What would be removed" : "gc" },
      async () => parseGcOutput(await runJob(session, stack, job, seconds, reporter.progress)),
      ({ blobs, untagged }) =>
        `${blobs} blobs${options.deleteUntagged ? `, ${untagged.length} manifests` : ""}`,
    );
  if (!options.dryRun) return whileReadOnly(session, { until, drainSeconds: drain + roll }, collect);
  // Not needed for looking, but the next run repairs a registry that a killed one left.
  await endLeftReadOnly(session);
  return collect();
}

/**
 * The job: the image, config, user and storage of the registry that runs.
 *
 * @param constraints nodes for a storage that all of them reach
 */
function gcJob(
  { Spec }: SwarmService,
  storage: RunningStorage,
  deadline: number,
  { deleteUntagged, dryRun }: GcOptions,
  constraints: readonly string[],
): Job {
  const { Image, Configs = [], Secrets = [], Env = [] } = Spec.TaskTemplate.ContainerSpec;
  const script = loadJobScript(storage.driver === "s3" ? "gcBucket" : "gc");
  const flags = [...(deleteUntagged ? ["--delete-untagged"] : []), ...(dryRun ? ["--dry-run"] : [])];
  const configs = Configs.map(({ ConfigName, File }) => ({ source: ConfigName, target: File?.Name ?? "" }));
  return {
    name: "gc",
    image: Image,
    command: ["/bin/sh", "-c", script, "gc", configs[0]?.target ?? "", String(deadline), ...flags],
    user: storage.user,
    configs,
    ...(storage.driver === "filesystem"
      ? {
          mounts: [{ source: storage.path, target: STORAGE, readOnly: dryRun }],
          constraints: [`node.id==${storage.node.id}`],
        }
      : {
          mounts: [],
          constraints,
          secrets: Secrets.filter(({ File }) => File?.Name === ("s3" satisfies StorageSecret)).map(
            ({ SecretName }) => ({ source: SecretName, target: "s3" }),
          ),
          environment: Env.filter((variable) => variable.startsWith("AWS_")),
        }),
  };
}

/**
 * Reads what the job printed: "goes REPOSITORY@DIGEST" lines, and "freed BLOBS [BYTES]".
 *
 * @throws OperatorError when the last line is missing
 */
export function parseGcOutput(lines: readonly string[]): GcResult {
  const freed = lines.map((line) => /^freed (\d+)(?: (\d+))?$/.exec(line)).find((match) => match !== null);
  if (!freed) {
    throw new OperatorError(["did not say what it freed", ...lines.slice(-5)].join("\n    "), {
      where: "gc",
      remedy: "Look at the storage's node, then run hephaestus gc again.",
      exitCode: ExitCode.docker,
    });
  }
  const untagged = lines.filter((line) => line.startsWith("goes ")).map((line) => line.slice("goes ".length));
  return { blobs: Number(freed[1]), bytes: freed[2] === undefined ? undefined : Number(freed[2]), untagged };
}
