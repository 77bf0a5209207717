/** A trial on a fresh machine: `npm run demo`. Shows each command as a person would type it. */
import { mkdir, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { Command } from "commander";
import { generatePassword } from "../src/credentials/password.js";
import { ExitCode, OperatorError } from "../src/errors.js";
import { showError } from "../src/terminal/showError.js";
import { takeDown } from "./down.js";
import { findEngine } from "./engineForDemo.js";
import { type DemoImages, nameImages, obtainImages, remember } from "./images.js";
import { heading, quietly, say, show } from "./shell.js";
import {
  CHECKOUT,
  type DemoState,
  demoPassword,
  FOLDER,
  PASSWORD_FILE,
  readState,
  STACK,
  STACK_FOLDER,
  USER,
} from "./state.js";

const HEPHAESTUS = `${CHECKOUT}bin/hephaestus.js`;

interface Options {
  installDocker?: boolean;
  down?: boolean;
  registryPort: string;
  uiPort: string;
}

async function main(): Promise<number> {
  const program = new Command("npm run demo --")
    .description("Builds, deploys, pushes and pulls on this machine, without Traefik and without a domain.")
    .option("--install-docker", "install and start Docker Engine from the distribution's packages")
    .option("--down", "remove everything that the demo made")
    .option("--registry-port <port>", "port of the registry", "5000")
    .option("--ui-port <port>", "port of the web library", "8080");
  const options = program.parse().opts<Options>();
  const state = await readState();
  if (options.down) await takeDown(state);
  else await demo(state, options);
  return ExitCode.ok;
}

async function demo(state: DemoState, options: Options): Promise<void> {
  await mkdir(STACK_FOLDER, { recursive: true });
  heading("Docker");
  await findEngine(state, options.installDocker ?? false);
  await portsAreFree([options.registryPort, options.uiPort]);

  heading("Images");
  const images = await obtainImages(state);

  heading("The registry");
  const password = await demoPassword(() => generatePassword().reveal());
  await deploy(images, password, options);

  heading("An image goes in, with a password");
  const registry = `localhost:${options.registryPort}`;
  const name = `${registry}/demo/hello:latest`;
  await remember(state, name);
  const login = { env: { DOCKER_CONFIG: `${FOLDER}/login` } };
  const nobody = { env: { DOCKER_CONFIG: `${FOLDER}/nobody` } };
  await quietly("docker", ["tag", images.payload, name]);
  await show(
    `docker login -u ${USER} --password-stdin ${registry}`,
    "docker",
    ["login", "-u", USER, "--password-stdin", registry],
    {
      ...login,
      input: password,
    },
  );
  await show(`docker push ${name}`, "docker", ["push", name], login);
  const pushed = await imageId(name);
  await quietly("docker", ["logout", registry], login);

  heading("The image comes out, without one");
  await quietly("docker", ["image", "rm", name]);
  await show(`docker pull ${name}`, "docker", ["pull", name], nobody);
  if ((await imageId(name)) !== pushed)
    throw wrong("the image that was pulled is not the one that was pushed");
  const refused = await quietly("docker", ["push", name], nobody);
  if (refused.exitCode === 0) throw wrong("a push without a login was accepted");
  say(`docker push without a login: ${refused.output.trim().split("\n").at(-1)}`);

  heading("The library");
  const ui = `http://localhost:${options.uiPort}`;
  const catalog = await (await fetch(`${ui}/v2/_catalog`)).text();
  if (!catalog.includes("demo/hello")) throw wrong(`the library does not show the image: ${catalog}`);
  say(`${ui} shows ${catalog.trim()}`);

  heading("It works");
  say(`registry   http://${registry}`);
  say(`library    ${ui}`);
  say(`user       ${USER}, password in ${PASSWORD_FILE.slice(CHECKOUT.length)}`);
  if (images.standins) say("images     stand-ins from Debian's packages");
  say("remove it  npm run demo -- --down");
}

async function deploy(
  images: DemoImages,
  password: string,
  { registryPort, uiPort }: Options,
): Promise<void> {
  const run = (args: string[], env: Record<string, string> = {}) =>
    show(`hephaestus ${args.join(" ")}`, process.execPath, [HEPHAESTUS, ...args], { cwd: STACK_FOLDER, env });
  await run(["init", "--profile", "local", "--force", "--registry-port", registryPort, "--ui-port", uiPort]);
  await nameImages(`${STACK_FOLDER}/hephaestus.yaml`, images);
  await run(["render"]);
  const resolveImage = images.standins ? ["--resolve-image", "never"] : [];
  await run(["deploy", ...resolveImage], { REGISTRY_USERNAME: USER, REGISTRY_RAW_PASSWORD: password });
}

async function imageId(name: string): Promise<string> {
  return (await quietly("docker", ["image", "inspect", "--format", "{{.Id}}", name])).stdout.trim();
}

/** A port that somebody else has is found before anything is made; the demo's own stack may have it. */
async function portsAreFree(ports: readonly string[]): Promise<void> {
  if ((await quietly("docker", ["service", "inspect", `${STACK}_gateway`])).exitCode === 0) return;
  for (const port of ports) {
    const taken = await new Promise<boolean>((resolve) => {
      const server = createServer();
      server.once("error", () => resolve(true));
      server.listen(Number(port), () => server.close(() => resolve(false)));
    });
    if (!taken) continue;
    throw new OperatorError(`port ${port} is taken on this machine`, {
      remedy: "Choose others: npm run demo -- --registry-port 5001 --ui-port 8081",
      exitCode: ExitCode.preflight,
    });
  }
}

const wrong = (message: string) => new OperatorError(message, { exitCode: ExitCode.verify });

try {
  process.exitCode = await main();
} catch (error) {
  process.exitCode = showError(error, false);
} finally {
  // The login lies there only while it is used.
  await rm(`${FOLDER}/login`, { recursive: true, force: true });
}
