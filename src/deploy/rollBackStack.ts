import { ExitCode, OperatorError } from "../errors.js";
import { verify } from "../frontDoor/frontDoor.js";
import { unpackFiles } from "../history/packedFiles.js";
import { CONFIG_RECORD, configOf, recordState } from "../history/recordSteps.js";
import { type HistoryRecord, readRecords } from "../history/records.js";
import { withTemporaryFolder, writeFiles } from "../host/files.js";
import { createOperatorSecrets, createSecrets } from "../secrets/secretSteps.js";
import { underLock } from "../secrets/underLock.js";
import type { Session } from "../session.js";
import { COMPOSE_FILE } from "../stack.js";
import { showPlan } from "./applyPlan.js";
import { cleanUp } from "./cleanUp.js";
import { preflight } from "./preflight.js";
import { rollOut } from "./rollout.js";

/**
 * Deploys a recorded state again: its files and its images by digest. The users are not rolled back: no one
 * is removed, and no password comes back.
 *
 * @param number of the record; undefined for the newest one that differs from what runs
 * @returns the record that runs again
 * @throws OperatorError when there is no such state, or the rollout fails (and is rolled back)
 */
export async function rollBack(session: Session, number: number | undefined): Promise<HistoryRecord> {
  const { stack } = session.config;
  const record = chooseRecord(stack, await readRecords(session.docker, stack), number);
  const recorded = await unpackFiles(record.archive);
  const files = recorded
    .filter(({ path }) => path !== CONFIG_RECORD)
    .map((file) =>
      file.path === COMPOSE_FILE ? { ...file, text: withImages(file.text, record.images ?? {}) } : file,
    );
  const config = configOf(recorded) ?? session.config;
  await withTemporaryFolder(async (folder) => {
    await writeFiles(folder, files);
    const back: Session = { ...session, config, files, options: { ...session.options, folder } };
    const plan = await preflight(back, {});
    if (back.options.dryRun) return showPlan(back, plan);
    const { secrets } = plan;
    await underLock(back, secrets.found, async () => {
      await createSecrets(back, secrets);
      await createOperatorSecrets(back, secrets);
      await rollOut(back, secrets);
      await verify(back, secrets);
      await recordState(back, "rollback", { ...secrets, note: `to ${record.number}` });
      await cleanUp(back, secrets.generations);
    });
  });
  return record;
}

/**
 * The record to roll back to. Pure.
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
      ? "no record differs from the running stack"
      : `record ${number} has no state to roll back to`;
  throw new OperatorError(message, {
    where: stack,
    remedy: "List the records with: hephaestus history",
    exitCode: ExitCode.usage,
  });
}

/**
 * A compose file that we rendered, with other images in it.
 *
 * @param compose text of docker-compose.yml as render writes it
 * @param images image references by service
 */
export function withImages(compose: string, images: Readonly<Record<string, string>>): string {
  let text = compose;
  for (const [service, image] of Object.entries(images)) {
    const place = new RegExp(`^(  ${service}:\\n(?:    .*\\n)*?    image: )[^\\n]*$`, "m");
    text = text.replace(place, (_, before: string) => `${before}${image}`);
  }
  return text;
}

/** Generations of secrets are left out: a rollback does not change them. */
const isSameState = (a: HistoryRecord, b: HistoryRecord): boolean =>
  a.config === b.config && sorted(a.images) === sorted(b.images);

/** Images in a fixed order, since hephaestus and deploy.sh record them in different orders. */
const sorted = (images: HistoryRecord["images"]): string =>
  Object.entries(images ?? {})
    .map(([service, image]) => `${service}=${image}`)
    .sort()
    .join(" ");
