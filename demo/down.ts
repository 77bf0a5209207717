/** Removes everything that the demo made. */
import { readFile, rm } from "node:fs/promises";
import { parseDocument } from "yaml";
import { stopEngine } from "../test/support/engine.js";
import { heading, hephaestus, quietly, say } from "./shell.js";
import { type DemoState, removeFolder, STACK, STACK_FOLDER } from "./state.js";

/** Safe to run again, and after a demo that was cut off. */
export async function takeDown(state: DemoState): Promise<void> {
  heading("Removing what the demo made");
  if (state.dockerHost) process.env.DOCKER_HOST = state.dockerHost;
  // An engine of the demo's own takes everything with it.
  if (state.engine) {
    await stopEngine(state.engine);
    await rm(state.engine, { recursive: true, force: true });
    say("stopped the demo's Docker Engine and removed its data");
  } else if ((await quietly("docker", ["version"])).exitCode === 0) {
    const failure = await destroyStack();
    for (const image of state.images) await quietly("docker", ["image", "rm", image]);
    if (state.images.length > 0) say(`removed the images ${state.images.join(", ")}`);
    if (state.swarm) {
      await quietly("docker", ["swarm", "leave", "--force"]);
      say("left the Swarm that the demo had started");
    } else if (failure) throw failure; // .demo stays: the next run removes the stack with it.
  }
  await removeFolder();
  say("removed .demo");
  say("Packages that were installed stay; remove them with: apt-get remove docker.io");
}

/**
 * Only the stack with the demo's name is the demo's: the file has another one when init was cut off, or somebody edited it.
 *
 * @returns why the stack is still there, if it is
 */
async function destroyStack(): Promise<Error | undefined> {
  const text = await readFile(`${STACK_FOLDER}/hephaestus.yaml`, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  if (parseDocument(text).get("stack") !== STACK) {
    say(`the config in .demo is not that of the stack ${STACK}: no stack is removed`);
    return undefined;
  }
  const manager = await quietly("docker", ["info", "--format", "{{.Swarm.ControlAvailable}}"]);
  if (manager.stdout.trim() !== "true") return undefined;
  return hephaestus(["destroy", "--yes"]).then(
    () => undefined,
    (error: Error) => error,
  );
}
