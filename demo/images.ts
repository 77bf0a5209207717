/** The images of the trial: the real ones where they can be pulled, stand-ins elsewhere. */
import { readFile, writeFile } from "node:fs/promises";
import { parseDocument } from "yaml";
import { readBundle } from "../src/bundle/readBundle.js";
import { loadConfig } from "../src/config/load.js";
import { buildStandins } from "../test/support/standIns.js";
import { quietly, say, show } from "./shell.js";
import { CACHE, type DemoState, STACK, writeState } from "./state.js";

export interface DemoImages {
  registry: string;
  gateway: string;
  ui: string;
  /** What is pushed and pulled. */
  payload: string;
  from: "registries" | "stand-ins" | "bundle";
}

const PULL_MILLISECONDS = 180_000;

/**
 * Loads the images of a bundle, or pulls the default images, or builds stand-ins from Debian's packages where one cannot be
 * pulled.
 *
 * @param bundle a file of `hephaestus bundle`
 */
export async function obtainImages(state: DemoState, bundle: string | undefined): Promise<DemoImages> {
  if (bundle !== undefined) return ofBundle(state, bundle);
  const { registry, gateway, ui } = loadConfig("domain: localhost", "defaults", {}).config;
  const wanted = [registry.image, gateway.image, ui.image];
  for (const image of wanted) {
    if ((await quietly("docker", ["image", "inspect", image])).exitCode === 0) continue;
    say(`docker pull ${image}`);
    const pull = await quietly("docker", ["pull", image], { timeout: PULL_MILLISECONDS });
    if (pull.exitCode !== 0) {
      say(`It cannot be pulled here: ${pull.output.trim().split("\n").at(-1)}`);
      return standIns(state);
    }
    await remember(state, image);
  }
  return {
    registry: registry.image,
    gateway: gateway.image,
    ui: ui.image,
    payload: gateway.image,
    from: "registries",
  };
}

async function ofBundle(state: DemoState, bundle: string): Promise<DemoImages> {
  const { facts, files } = await readBundle(bundle);
  await show(`docker load --input ${bundle}`, "docker", ["load", "--input", bundle]);
  for (const image of facts.images) await remember(state, image);
  const text = files.find(({ path }) => path === "hephaestus.yaml")?.text ?? "";
  const { registry, gateway, ui } = loadConfig(text, bundle, { DOMAIN_NAME: "localhost" }).config;
  return {
    registry: registry.image,
    gateway: gateway.image,
    ui: ui.image,
    payload: gateway.image,
    from: "bundle",
  };
}

async function standIns(state: DemoState): Promise<DemoImages> {
  say("So the trial runs with stand-ins, made from Debian's packages docker-registry and nginx-light.");
  const here = (await quietly("docker", ["images", "--format", "{{.Repository}}:{{.Tag}}"])).stdout.split(
    "\n",
  );
  const images = await buildStandins({
    dockerHost: process.env.DOCKER_HOST ?? "unix:///var/run/docker.sock",
    cacheDir: CACHE,
    report: say,
  });
  // What was here before the demo stays.
  for (const image of Object.values(images)) if (!here.includes(image)) await remember(state, image);
  return {
    registry: images.registry,
    gateway: images.nginx,
    ui: images.ui,
    payload: images.hello,
    from: "stand-ins",
  };
}

/** Notes an image that `--down` shall remove. */
export async function remember(state: DemoState, image: string): Promise<void> {
  if (!state.images.includes(image)) state.images.push(image);
  await writeState(state);
}

/** Names the images and the stack in the config that init wrote; comments stay. */
export async function nameImages(file: string, images: DemoImages): Promise<void> {
  const document = parseDocument(await readFile(file, "utf8"));
  document.set("stack", STACK);
  document.setIn(["registry", "image"], images.registry);
  document.setIn(["gateway", "image"], images.gateway);
  document.setIn(["ui", "image"], images.ui);
  await writeFile(file, document.toString());
}
