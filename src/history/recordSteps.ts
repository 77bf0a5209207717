import { createHash } from "node:crypto";
import { loadConfig } from "../config/load.js";
import type { Config } from "../config/resolve.js";
import { stackServices } from "../docker/objects.js";
import type { Docker } from "../docker/run.js";
import type { DeployContext, Step } from "../operation/context.js";
import { describeChange } from "../operation/secretsChange.js";
import { operator } from "../operation/stackLock.js";
import type { RenderedFile } from "../render/renderedFile.js";
import { COMPOSE_FILE } from "../stack.js";
import { packFiles, unpackFiles } from "./packedFiles.js";
import { type Event, type EventKind, readRecords, writeRecord } from "./records.js";

/** The config that was deployed, in a record: hephaestus.yaml with everything decided. */
export const CONFIG_RECORD = "hephaestus.json";

/** Records a deploy, a rotation or a rollback. */
export const recordStep = (kind: EventKind, note = ""): Step => ({
  id: "record",
  title: "History",
  run: async (context) =>
    record(context, kind, note || (context.change ? describeChange(context.change) : "")),
});

/** Records a change of the users. Nothing else changed, so the record has the files of the state before, whatever a checkout has. */
export const recordUsersStep: Step = {
  id: "record",
  title: "History",
  async run(context) {
    const { config, docker, change } = context;
    return attempted(async () => {
      const last = (await readRecords(docker, config.stack)).findLast(({ isState }) => isState);
      const event = await stateEvent(context, "rotate", change ? describeChange(change) : "");
      await writeRecord(docker, config.stack, { ...event, config: last?.config }, last?.archive);
    });
  },
};

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
 * Leaves a record of the state that the stack is in now. That it cannot be left is no reason to call a deploy failed.
 *
 * @returns what came of it, in words
 */
async function record(context: DeployContext, kind: EventKind, note: string): Promise<string> {
  const { config, docker, files } = context;
  return attempted(async () => {
    const event = await stateEvent(context, kind, note);
    const archive = await packFiles([...files, { path: CONFIG_RECORD, text: JSON.stringify(config) }]);
    await writeRecord(docker, config.stack, { ...event, config: composeDigest(files) }, archive);
  });
}

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
  { config, docker, generations }: DeployContext,
  kind: EventKind,
  note: string,
): Promise<Event> {
  const services = await stackServices(docker, config.stack);
  const images = services.map(
    ({ Spec }) => [Spec.Name.slice(config.stack.length + 1), Spec.TaskTemplate.ContainerSpec.Image] as const,
  );
  return { kind, at: new Date(), by: operator(), note, generations, images: Object.fromEntries(images) };
}

/** Records an event that leaves the stack as it was. */
export async function recordEvent(
  { docker, config }: Pick<DeployContext, "docker" | "config">,
  kind: EventKind,
  note: string,
): Promise<void> {
  await writeRecord(docker, config.stack, { kind, at: new Date(), by: operator(), note }, undefined);
}

/** SHA-256 of the compose file without its images; the other files stand in it by their digests. */
function composeDigest(files: readonly RenderedFile[]): string {
  const text = files.find(({ path }) => path === COMPOSE_FILE)?.text ?? "";
  return createHash("sha256")
    .update(text.replace(/^ {4}image: .*\n/gm, ""))
    .digest("hex");
}
