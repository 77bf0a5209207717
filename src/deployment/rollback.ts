import { loadConfig } from "../config/load.js";
import type { Config } from "../config/resolve.js";
import { ExitCode, OperatorError } from "../errors.js";
import { withTemporaryFolder, writeFiles } from "../host/files.js";
import { COMPOSE_FILE, type RenderedFile } from "../render/files.js";
import { withImages } from "../render/pin.js";
import type { Docker } from "../swarm/docker.js";
import { type HistoryRecord, readRecords } from "../swarm/records.js";
import { unpackFiles } from "./archivedFiles.js";
import { type DeployContext, runSteps, type Step } from "./context.js";
import { underLock } from "./deploy.js";
import { CONFIG_RECORD, recordStep } from "./history.js";
import { PLAN_STEPS } from "./plan.js";
import { preflight } from "./preflight.js";
import { cleanUp, rollOut } from "./rollout.js";
import { verify } from "./steps.js";

/**
 * Deploys a recorded state again: its files, its images by digest, and its generations of secrets where they still
 * exist.
 *
 * @param number of the record; undefined for the newest one that differs from what runs
 * @param cleanupDocker a docker that still works after an interruption
 * @returns the record that it went back to
 * @throws OperatorError when there is no such state, or the rollout fails (what ran before runs again)
 */
export async function rollBack(
  context: DeployContext,
  number: number | undefined,
  cleanupDocker: Docker,
): Promise<HistoryRecord> {
  const { stack } = context.config;
  const record = chooseRecord(stack, await readRecords(context.docker, stack), number);
  const recorded = await unpackFiles(record.archive);
  const files = recorded
    .filter(({ path }) => path !== CONFIG_RECORD)
    .map((file) =>
      file.path === COMPOSE_FILE ? { ...file, text: withImages(file.text, record.images ?? {}) } : file,
    );
  const config = configOf(recorded) ?? context.config;
  await withTemporaryFolder(async (folder) => {
    await writeFiles(folder, files);
    const back: DeployContext = { ...context, config, files, options: { ...context.options, folder } };
    await runSteps([preflight, oldGenerations(record)], back);
    if (back.options.dryRun) return runSteps(PLAN_STEPS, back);
    const steps = [rollOut, verify, recordStep("rollback", `to ${record.number}`), cleanUp];
    await underLock(back, cleanupDocker, () => runSteps(steps, back));
  });
  return record;
}

/**
 * Pure: the record to go back to.
 *
 * @param records the oldest first
 * @throws OperatorError when there is none
 */
export function chooseRecord(
  stack: string,
  records: readonly HistoryRecord[],
  number: number | undefined,
): HistoryRecord {
  const states = records.filter(({ isState }) => isState);
  const current = states.at(-1);
  const record =
    number === undefined
      ? states.findLast((state) => current !== undefined && !isSameState(state, current))
      : states.find((state) => state.number === number);
  if (record && record.archive.length > 0) return record;
  const message =
    number === undefined
      ? "nothing that differs from what runs is recorded"
      : `record ${number} is none of a state that one can go back to`;
  throw new OperatorError(message, {
    where: stack,
    remedy: "See what is recorded with: hephaestus history",
    exitCode: ExitCode.usage,
  });
}

/** Generations of secrets are left out: those of before a rotation are gone. */
const isSameState = (a: HistoryRecord, b: HistoryRecord): boolean =>
  a.config === b.config && JSON.stringify(a.images) === JSON.stringify(b.images);

/** The config of the record, read as if it were hephaestus.yaml (JSON is YAML); what deploy.sh left has none. */
function configOf(files: readonly RenderedFile[]): Config | undefined {
  const file = files.find(({ path }) => path === CONFIG_RECORD);
  return file && loadConfig(file.text, file.path, {}).config;
}

/** Chooses the record's generations of secrets where they are still there. */
const oldGenerations = ({ number, generations }: HistoryRecord): Step => ({
  id: "generations",
  title: "Secrets",
  async run(context) {
    const { state } = context;
    if (!generations || !state) return "those that run stay";
    const people = state.people.includes(generations.people);
    const machines = state.machines.includes(generations.machines);
    context.generations = {
      people: people ? generations.people : context.generations.people,
      machines: machines ? generations.machines : context.generations.machines,
    };
    return people
      ? `the users of record ${number} (generation ${generations.people})`
      : `the users of record ${number} are gone (generation ${generations.people}); those of generation ${context.generations.people} stay`;
  },
});
