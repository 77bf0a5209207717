import type { Config } from "../config/resolve.js";
import { isFinal } from "../docker/failures.js";
import { ExitCode, OperatorError } from "../errors.js";
import { contentDigest, contentName } from "../services/contentName.js";
import { REGSYNC, REGSYNC_CONFIG, REGSYNC_LOG, regsyncText } from "../services/mirror.js";
import { type MirrorSource, mirrorSources } from "../services/mirrorSources.js";
import { UNPRIVILEGED } from "../services/parts.js";
import type { Session } from "../session.js";
import { createConfig } from "../swarm/configs.js";
import { type Job, runJob } from "../swarm/jobs.js";
import { STACK_LABEL, type SwarmService, stackService, stackServices } from "../swarm/objects.js";
import { LABELS } from "../swarm/secrets.js";
import { removeStackConfig } from "../swarm/stackConfigs.js";
import { inStep } from "../terminal/inStep.js";
import { failuresOf, isUpToDate, type MirrorReport, parseRegsyncLog } from "./regsyncLog.js";

/** Whether images are copied, or only compared. */
export type MirrorMode = "once" | "check";

/**
 * Runs regsync in a job, with the image, the account and the logins of the mirror that runs. The caller holds
 * the stack's lock.
 *
 * @returns what became of each image; that some failed is no error
 * @throws OperatorError when regsync did not run, or not to its end
 */
export async function runMirror(
  session: Session,
  sources: readonly MirrorSource[],
  mode: MirrorMode,
): Promise<MirrorReport> {
  const { config, docker, cleanupDocker, options, reporter } = session;
  const { stack } = config;
  const service = stackService(await stackServices(docker, stack), stack, "mirror");
  if (service === undefined) throw notDeployed(stack);
  const text = regsyncText(config, sources, `Sources of one run of hephaestus mirror ${mode}.`);
  const file = contentName(stack, "mirror", contentDigest(text));
  // With both labels, a deploy removes one that a killed run left.
  const labels = { [LABELS.stack]: stack, [STACK_LABEL]: stack };
  await createConfig(docker, { name: file, labels, content: text });
  let lines: string[] = [];
  const job = jobOf(service, file, mode, config.regsync.placement.constraints, (printed) => {
    lines = printed;
    reporter.progress(progressOf(parseRegsyncLog(printed)));
  });
  try {
    await runJob(session, stack, job, options.timeoutSeconds, () => {});
    return parseRegsyncLog(lines);
  } catch (error) {
    if (isFinal(error)) throw error;
    // regsync ends with an error where one image failed; what it printed says which.
    const report = parseRegsyncLog(lines);
    if (report.sources.length > 0 || report.images.some(({ state }) => state === "failed")) return report;
    throw error;
  } finally {
    // Docker refuses that for a config that a service uses.
    await removeStackConfig(cleanupDocker, stack, file);
  }
}

/**
 * Runs the mirror with progress. The caller holds the lock.
 *
 * @param sources what is copied
 */
export async function mirrorStep(session: Session, sources: readonly MirrorSource[]): Promise<MirrorReport> {
  return inStep(
    session.reporter,
    { id: "mirror", title: "Mirror" },
    () => runMirror(session, sources, "once"),
    (report) => ({
      outcome: failuresOf(report).length > 0 ? "failed" : "done",
      message: summaryOf(report),
    }),
  );
}

/** What a run did, in a line. */
export function summaryOf(report: MirrorReport): string {
  const failed = failuresOf(report).length;
  const unchanged = report.images.filter(isUpToDate).length;
  const copied = report.images.filter(({ state }) => state === "copied").length;
  return `${copied} copied, ${unchanged} unchanged${failed > 0 ? `, ${failed} failed` : ""}`;
}

const progressOf = (report: MirrorReport): string =>
  report.waitsFor === undefined
    ? [`${report.images.length} images`, report.images.at(-1)?.source].filter(Boolean).join(", now ")
    : `waiting, since ${report.waitsFor} allows no more pulls for now`;

/** @throws OperatorError where there is no source, or none of that name */
export function namedSources(config: Config, name: string | undefined): MirrorSource[] {
  const sources = mirrorSources(config);
  const named = sources.filter((source) => name === undefined || source.name === name);
  if (named.length > 0) return named;
  const names = [...new Set(sources.map((source) => source.name))];
  throw new OperatorError(
    name === undefined ? "nothing is mirrored" : `nothing that is mirrored is called ${name}`,
    {
      where: "mirror",
      remedy: names.length === 0 ? "Write mirror into the config." : `Use one of: ${names.join(", ")}.`,
      exitCode: names.length === 0 ? ExitCode.preflight : ExitCode.usage,
    },
  );
}

function jobOf(
  { Spec }: SwarmService,
  file: string,
  mode: MirrorMode,
  constraints: readonly string[],
  onLines: (lines: string[]) => void,
): Job {
  const { Image, Secrets = [], Env = [] } = Spec.TaskTemplate.ContainerSpec;
  return {
    name: "mirror",
    image: Image,
    command: [REGSYNC, ...REGSYNC_LOG, "--verbosity", "debug", mode, "--config", REGSYNC_CONFIG],
    user: UNPRIVILEGED,
    mounts: [],
    constraints,
    configs: [{ source: file, target: REGSYNC_CONFIG }],
    secrets: Secrets.map(({ SecretName, File }) => ({ source: SecretName, target: File?.Name ?? "" })),
    environment: Env,
    networks: (Spec.TaskTemplate.Networks ?? []).map(({ Target }) => Target),
    onLines,
  };
}

const notDeployed = (stack: string): OperatorError =>
  new OperatorError("has no mirror that runs", {
    where: stack,
    remedy: "Write mirror into the config, then run: hephaestus render && hephaestus deploy",
    exitCode: ExitCode.preflight,
  });
