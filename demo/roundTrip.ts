/** Uses the registry as people will: one who pushes with a password, others who pull without. */
import { rm } from "node:fs/promises";
import { ExitCode, OperatorError } from "../src/errors.js";
import { type DemoImages, remember } from "./images.js";
import { heading, quietly, say, show } from "./shell.js";
import { type DemoState, FOLDER, USER } from "./state.js";

/** Private folders for DOCKER_CONFIG: the person's own logins stay out of this. */
const LOGIN = `${FOLDER}/login`;
const NOBODY = `${FOLDER}/nobody`;

/**
 * Pushes an image, pulls it without a login, and sees a push without a login refused.
 *
 * @param registry host:port of the registry
 * @throws OperatorError when one of these goes another way
 */
export async function pushAndPull(
  state: DemoState,
  images: DemoImages,
  registry: string,
  password: string,
): Promise<void> {
  const name = `${registry}/demo/hello:latest`;
  await remember(state, name);
  try {
    const pushed = await push(images.payload, name, registry, password);
    await pullWithoutLogin(images, name, pushed);
    await pushWithoutLogin(name);
  } finally {
    await rm(LOGIN, { recursive: true, force: true });
  }
}

/** @returns the digest under which the registry has the image now */
async function push(payload: string, name: string, registry: string, password: string): Promise<string> {
  heading("An image goes in, with a password");
  const env = { DOCKER_CONFIG: LOGIN };
  const login = ["login", "-u", USER, "--password-stdin", registry];
  await show(`docker ${login.join(" ")}`, "docker", login, { env, input: password });
  await run(["tag", payload, name], env);
  const { output } = await run(["push", name], env);
  await run(["logout", registry], env);
  return digestIn(output);
}

async function pullWithoutLogin(images: DemoImages, name: string, pushed: string): Promise<void> {
  heading("The image comes out, without one");
  const env = { DOCKER_CONFIG: NOBODY };
  await run(["image", "rm", name], env);
  // A stand-in goes altogether, so that its layers come from the registry; a real image is in use by the gateway.
  if (images.from === "stand-ins") await quietly("docker", ["image", "rm", images.payload]);
  const pulled = digestIn((await run(["pull", name], env)).output);
  if (images.from === "stand-ins") await quietly("docker", ["tag", name, images.payload]);
  if (pulled !== pushed)
    throw wrong(`the digest that was pulled, ${pulled}, is not the one that was pushed, ${pushed}`);
  say("the digest is the one that was pushed");
}

async function pushWithoutLogin(name: string): Promise<void> {
  heading("Nobody else writes");
  process.stdout.write(`  $ docker push ${name}\n`);
  const { exitCode, output } = await quietly("docker", ["push", name], { env: { DOCKER_CONFIG: NOBODY } });
  if (exitCode === 0) throw wrong("a push without a login was accepted");
  const last = output.trim().split("\n").at(-1) ?? "";
  // Any other failure would prove nothing about access.
  if (!/unauthorized|denied/.test(last))
    throw wrong(`a push without a login failed, but not as refused: ${last}`);
  say(last);
}

/**
 * Asks the library for the list of images, as its page does.
 *
 * @throws OperatorError when it does not answer, or does not list the image
 */
export async function askLibrary(url: string): Promise<void> {
  heading("The library");
  const catalog = `${url}/v2/_catalog`;
  process.stdout.write(`  $ curl ${catalog}\n`);
  let answer: string;
  try {
    answer = (await (await fetch(catalog, { signal: AbortSignal.timeout(30_000) })).text()).trim();
  } catch (cause) {
    throw wrong("the library does not answer", catalog, cause);
  }
  say(answer);
  if (!answer.includes('"demo/hello"')) throw wrong("the library does not list demo/hello", catalog);
}

const run = (args: string[], env: Record<string, string>) =>
  show(`docker ${args.join(" ")}`, "docker", args, { env });

function digestIn(output: string): string {
  const digest = /digest: (sha256:[0-9a-f]{64})/i.exec(output)?.[1];
  if (digest === undefined) throw wrong("docker did not say a digest");
  return digest;
}

const wrong = (message: string, where?: string, cause?: unknown) =>
  new OperatorError(message, {
    where,
    remedy:
      "Look at the services: docker stack services hephaestus-demo. Start over with: npm run demo -- --down",
    exitCode: ExitCode.verify,
    cause,
  });
