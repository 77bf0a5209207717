/** Finds the Docker Engine that the demo uses, or starts one. */
import { mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { ExitCode, OperatorError } from "../src/errors.js";
import { installEngine, startEngine } from "../test/support/engine.js";
import { quietly, say } from "./shell.js";
import { type DemoState, FOLDER, writeState } from "./state.js";

/** The longest path below which an engine's sockets still fit (see engine.ts). */
const LONGEST_FOLDER = 60;

/**
 * Makes sure that an engine answers in a Swarm, and that DOCKER_HOST says where.
 *
 * @param install whether a missing engine may be installed and started
 */
export async function findEngine(state: DemoState, install: boolean): Promise<void> {
  if (state.dockerHost) process.env.DOCKER_HOST = state.dockerHost;
  const version = await serverVersion();
  if (version) say(`Docker Engine ${version} answers`);
  else if (install) await installAndStart(state);
  else {
    const { exitCode } = await quietly("docker", ["--version"]);
    const missing = exitCode === 127 ? "Docker is not installed" : "Docker Engine does not answer";
    throw new OperatorError(missing, {
      where: process.env.DOCKER_HOST ?? "this machine",
      remedy:
        "Start it, or let the demo install and start one from the distribution's packages (root, Debian or Ubuntu):\nnpm run demo -- --install-docker",
      exitCode: ExitCode.preflight,
    });
  }
  await joinSwarm(state);
}

async function serverVersion(): Promise<string | undefined> {
  const { exitCode, stdout } = await quietly("docker", ["version", "--format", "{{.Server.Version}}"]);
  return exitCode === 0 ? stdout.trim() : undefined;
}

async function installAndStart(state: DemoState): Promise<void> {
  await installEngine(say);
  const wanted = `${FOLDER}/engine`;
  const dir = wanted.length <= LONGEST_FOLDER ? wanted : await mkdtemp(`${tmpdir()}/hephaestus-`);
  await mkdir(dir, { recursive: true });
  // Noted before it starts, so that --down finds it even when this run is cut off.
  state.engine = dir;
  await writeState(state);
  const { dockerHost } = await startEngine({ dir });
  process.env.DOCKER_HOST = dockerHost;
  state.dockerHost = dockerHost;
  await writeState(state);
  say(
    `Docker Engine ${await serverVersion()} started for the demo; to talk to it: export DOCKER_HOST=${dockerHost}`,
  );
}

async function joinSwarm(state: DemoState): Promise<void> {
  const { stdout } = await quietly("docker", [
    "info",
    "--format",
    "{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}",
  ]);
  const [node, manager] = stdout.trim().split(" ");
  if (node === "active" && manager === "true") return;
  if (node === "active") {
    throw new OperatorError("this engine is a worker of a Swarm", {
      remedy: "Run the demo on a manager, or on a machine of its own.",
      exitCode: ExitCode.preflight,
    });
  }
  say("starting a Swarm of one node: docker swarm init");
  const init = await quietly("docker", ["swarm", "init", "--advertise-addr", "127.0.0.1"]);
  if (init.exitCode !== 0) {
    throw new OperatorError(init.output, { where: "docker swarm init", exitCode: ExitCode.preflight });
  }
  state.swarm = true;
  await writeState(state);
}
