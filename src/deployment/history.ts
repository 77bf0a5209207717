import { createHash } from "node:crypto";
import { COMPOSE_FILE, type RenderedFile } from "../render/files.js";
import { operator } from "../swarm/lock.js";
import { stackServices } from "../swarm/objects.js";
import { type EventKind, writeRecord } from "../swarm/records.js";
import { packFiles } from "./archivedFiles.js";
import type { DeployContext, Step } from "./context.js";
import { describeChange } from "./steps.js";

/** The config that was deployed, in a record: hephaestus.yaml with everything decided. */
export const CONFIG_RECORD = "hephaestus.json";

/** Records a deploy, a rotation or a rollback. */
export const recordStep = (kind: EventKind, note = ""): Step => ({
  id: "record",
  title: "History",
  run: async (context) =>
    record(context, kind, note || (context.change ? describeChange(context.change) : "")),
});

/**
 * Leaves a record of the state that the stack is in now. That it cannot be left is no reason to call a deploy failed.
 *
 * @returns what came of it, in words
 */
async function record(context: DeployContext, kind: EventKind, note: string): Promise<string> {
  const { config, docker, files, generations } = context;
  try {
    const services = await stackServices(docker, config.stack);
    const images = services.map(
      ({ Spec }) =>
        [Spec.Name.slice(config.stack.length + 1), Spec.TaskTemplate.ContainerSpec.Image] as const,
    );
    const event = {
      kind,
      at: new Date(),
      by: operator(),
      note,
      config: composeDigest(files),
      generations,
      images: Object.fromEntries(images),
    };
    const archive = await packFiles([...files, { path: CONFIG_RECORD, text: JSON.stringify(config) }]);
    await writeRecord(docker, config.stack, event, archive);
    return "recorded";
  } catch (error) {
    return `could not be recorded: ${(error as Error).message}`;
  }
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
