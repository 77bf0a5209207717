import { createHash } from "node:crypto";
import { loadConfig } from "../config/load.js";
import type { Config } from "../config/resolve.js";
import type { Docker } from "../docker/run.js";
import type { RenderedFile } from "../render/renderedFile.js";
import type { Session } from "../session.js";
import { COMPOSE_FILE } from "../stack.js";
import { operator } from "../swarm/lock/stackLock.js";
import { stackServices } from "../swarm/objects.js";
import { inStep } from "../terminal/inStep.js";
import { packFiles, unpackFiles } from "./packedFiles.js";
import { type Event, type EventKind, readRecords, writeRecord } from "./records.js";

/** The config that was deployed, in a record: hephaestus.yaml with everything decided. */
export const CONFIG_RECORD = "hephaestus.json";

/** What a record has beside the state of the stack. */
interface Recorded {
  note: string;
  generations: { users: number; machines: number };
}

const STEP = { id: "record", title: "History" } as const;

/** Records a deploy or a rollback. */
export const recordState = (session: Session, kind: EventKind, recorded: Recorded): Promise<string> =>
  inStep(session.reporter, STEP, () =>
    attempted(async () => {
      const { config, docker, files } = session;
      const event = await stateEvent(session, kind, recorded);
      const archive = await packFiles([...files, { path: CONFIG_RECORD, text: JSON.stringify(config) }]);
      await writeRecord(docker, config.stack, { ...event, config: composeDigest(files) }, archive);
    }),
  );

/**
 * Records a change of the users. Nothing else changed, so the record has the files of the state before,
 * whatever a checkout has.
 */
export const recordUsers = (session: Session, recorded: Recorded): Promise<string> =>
  inStep(session.reporter, STEP, () =>
    attempted(async () => {
      const { config, docker } = session;
      const last = (await readRecords(docker, config.stack)).findLast(({ isState }) => isState);
      const event = await stateEvent(session, "rotate", recorded);
      await writeRecord(docker, config.stack, { ...event, config: last?.config }, last?.archive);
    }),
  );

/**
 * The config of a record, read as if it were hephaestus.yaml (JSON is YAML); what deploy.sh left has none.
 */
export function configOf(files: readonly RenderedFile[]): Config | undefined {
  const file = files.find(({ path }) => path === CONFIG_RECORD);
  return file && loadConfig(file.text, file.path, {}).config;
}

/**
 * The config of the stack that runs, by the newest record of the history.
 *
 * @returns undefined where there is no record, or the stack was deployed by deploy.sh since
 */
export async function runningConfig(docker: Docker, stack: string): Promise<Config | undefined> {
  const last = (await readRecords(docker, stack)).findLast(({ isState }) => isState);
  if (last === undefined || last.archive.length === 0) return undefined;
  return configOf(await unpackFiles(last.archive));
}

/**
 * That a record cannot be left is no reason to call a deploy failed.
 *
 * @returns what came of it, in words
 */
async function attempted(work: () => Promise<void>): Promise<string> {
  try {
    await work();
    return "recorded";
  } catch (error) {
    return `could not be recorded: ${(error as Error).message}`;
  }
}

/** An event after which the stack is in a state that one can go back to. */
async function stateEvent(
  { config, docker }: Session,
  kind: EventKind,
  { note, generations: { users, machines } }: Recorded,
): Promise<Event> {
  const services = await stackServices(docker, config.stack);
  const images = services.map(
    ({ Spec }) => [Spec.Name.slice(config.stack.length + 1), Spec.TaskTemplate.ContainerSpec.Image] as const,
  );
  const generations = { users, machines };
  return { kind, at: new Date(), by: operator(), note, generations, images: Object.fromEntries(images) };
}

/** Records an event that leaves the stack as it was. */
export async function recordEvent(
  { docker, config }: Pick<Session, "docker" | "config">,
  kind: EventKind,
  note: string,
  parts: Pick<Event, "done" | "failed"> = {},
): Promise<void> {
  await writeRecord(
    docker,
    config.stack,
    { kind, at: new Date(), by: operator(), note, ...parts },
    undefined,
  );
}

/** SHA-256 of the compose file without its images; the other files stand in it by their digests. */
function composeDigest(files: readonly RenderedFile[]): string {
  const text = files.find(({ path }) => path === COMPOSE_FILE)?.text ?? "";
  return createHash("sha256")
    .update(text.replace(/^ {4}image: .*\n/gm, ""))
    .digest("hex");
}
