/** A trial on a fresh machine: `npm run demo`. Shows each command as a person would type it. */
import { mkdir, rm } from "node:fs/promises";
import { Command } from "commander";
import { portOption } from "../src/commands/options.js";
import { generatePassword } from "../src/credentials/password.js";
import { readEndpoint } from "../src/docker/endpoint.js";
import { dockerCommand } from "../src/docker/run.js";
import { ExitCode, OperatorError } from "../src/errors.js";
import { showError } from "../src/terminal/showError.js";
import { CHECKOUT } from "../test/support/checkout.js";
import { stopEngine } from "../test/support/engine.js";
import { takeDown } from "./down.js";
import { findEngine } from "./engineForDemo.js";
import { type DemoImages, nameImages, obtainImages } from "./images.js";
import { checkPorts, type Ports } from "./ports.js";
import { askLibrary, pushAndPull } from "./roundTrip.js";
import { heading, hephaestus, quietly, say } from "./shell.js";
import {
  type DemoState,
  demoPassword,
  PASSWORD_FILE,
  readState,
  STACK_FOLDER,
  USER,
  writeState,
} from "./state.js";

interface Options extends Ports {
  installDocker?: boolean;
  down?: boolean;
  bundle?: string;
}

async function main(): Promise<number> {
  const program = new Command("npm run demo --")
    .description("Builds, deploys, pushes and pulls on this machine, without Traefik and without a domain.")
    .option("--install-docker", "install and start Docker Engine from the distribution's packages")
    .option("--down", "remove everything that the demo made")
    .option("--bundle <file>", "take the images from a file of hephaestus bundle, without any network")
    .addOption(portOption("--registry-port <port>", "port of the registry", 5000))
    .addOption(portOption("--ui-port <port>", "port of the web library", 8080))
    .exitOverride();
  const options = program.parse().opts<Options>();
  const state = await readState();
  await chooseEngine(state);
  if (options.down) {
    await refuseHalfRemoval(state);
    await takeDown(state);
  } else await demo(state, options);
  return ExitCode.ok;
}

async function demo(state: DemoState, options: Options): Promise<void> {
  await checkPorts(options);
  heading("Docker");
  if (options.installDocker) await clearDeadEngine(state);
  await findEngine(state, options.installDocker ?? false);
  // So that --down asks the same engine, whatever DOCKER_HOST is by then.
  if (process.env.DOCKER_HOST) state.dockerHost = process.env.DOCKER_HOST;
  await writeState(state);

  heading("Images");
  const images = await obtainImages(state, options.bundle);

  heading("The registry");
  const password = await demoPassword(() => generatePassword().reveal());
  await deploy(images, password, options);

  const registry = `localhost:${options.registryPort}`;
  const library = `http://localhost:${options.uiPort}`;
  await pushAndPull(state, images, registry, password);
  await askLibrary(library);

  heading("It works");
  say(`registry   http://${registry}`);
  say(`library    ${library}`);
  say(`user       ${USER}, password in ${PASSWORD_FILE.slice(CHECKOUT.length)}`);
  if (images.from === "stand-ins") say("images     stand-ins from Debian's packages");
  if (images.from === "bundle") say(`images     those of ${options.bundle}`);
  say("remove it  npm run demo -- --down");
}

async function deploy(
  images: DemoImages,
  password: string,
  { registryPort, uiPort }: Options,
): Promise<void> {
  await mkdir(STACK_FOLDER, { recursive: true });
  const ports = ["--registry-port", String(registryPort), "--ui-port", String(uiPort)];
  await hephaestus(["init", "--profile", "local", "--force", ...ports]);
  await nameImages(`${STACK_FOLDER}/hephaestus.yaml`, images);
  await hephaestus(["render"]);
  const resolveImage = images.from !== "registries" ? ["--resolve-image", "never"] : [];
  await hephaestus(["deploy", ...resolveImage], { REGISTRY_USERNAME: USER, REGISTRY_RAW_PASSWORD: password });
}

/**
 * Names the engine in DOCKER_HOST: that of an earlier run, else the person's own, else that of the current context. The
 * private DOCKER_CONFIG folders of the demo know no contexts.
 */
async function chooseEngine(state: DemoState): Promise<void> {
  if (state.dockerHost) process.env.DOCKER_HOST = state.dockerHost;
  if (process.env.DOCKER_HOST) return;
  const endpoint = await readEndpoint(dockerCommand({})).catch(() => undefined);
  if (endpoint) process.env.DOCKER_HOST = endpoint.host;
}

/**
 * After a crash or a reboot, the demo's own engine has containers without a parent and a Swarm that it would not start
 * anew: what is left of it goes. The registry's storage and the password are elsewhere, and stay.
 */
async function clearDeadEngine(state: DemoState): Promise<void> {
  if (state.engine === undefined || (await quietly("docker", ["version"])).exitCode === 0) return;
  say("the demo's Docker Engine does not run any more: clearing up what is left of it");
  await stopEngine(state.engine);
  await rm(state.engine, { recursive: true, force: true });
  delete state.engine;
  await writeState(state);
}

/** With the state gone, nobody would know any more what is left in an engine that sleeps. */
async function refuseHalfRemoval(state: DemoState): Promise<void> {
  const madeSomething = state.swarm || state.images.length > 0;
  if (state.engine || !madeSomething || (await quietly("docker", ["version"])).exitCode === 0) return;
  throw new OperatorError("Docker Engine does not answer, and what the demo made is in it", {
    where: process.env.DOCKER_HOST ?? "this machine",
    remedy: "Start it, then again: npm run demo -- --down",
    exitCode: ExitCode.preflight,
  });
}

try {
  process.exitCode = await main();
} catch (error) {
  const { code, exitCode } = error as { code?: string; exitCode?: number };
  if (code?.startsWith("commander.")) process.exitCode = exitCode === 0 ? ExitCode.ok : ExitCode.usage;
  else process.exitCode = showError(error, { debug: false, json: false });
}
