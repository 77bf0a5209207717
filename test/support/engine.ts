/**
 * A private Docker Engine with a Swarm of one node, for the demo and the e2e tests: everything it keeps lies below one
 * directory, and it goes away without a trace. Needs root on Linux.
 */
import { type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { ExitCode, OperatorError } from "../../src/errors.js";
import { isAlive, removeTraces, type Surroundings, surroundings } from "./traces.js";

export { installEngine } from "./installDocker.js";

export interface Engine {
  /** The value for DOCKER_HOST, `unix://…`. */
  dockerHost: string;
  /** The process id of dockerd. */
  pid: number;
  /** Leaves the Swarm, ends dockerd and removes what it left behind outside of its directory. */
  stop(): Promise<void>;
}

export interface EngineOptions {
  /** An absolute path for the engine's data, sockets and log; made if it is missing. Removing it after `stop` is up to the caller. */
  dir: string;
  /** Where the API socket goes; `docker.sock` in `dir` by default. */
  socket?: string | undefined;
  /** More arguments of dockerd. */
  more?: readonly string[];
}

/** A Unix socket's path has at most 107 bytes (unix(7)); this is the longest one that dockerd makes below `dir`. */
const LONGEST_SOCKET = "/exec/containerd/containerd.sock.ttrpc";
const SOCKET_PATH_MAX = 107;
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 40_000;
/** A root shell without a login often lacks the sbin directories, where dockerd and iptables are. */
const env = { PATH: `${process.env.PATH ?? ""}:/usr/sbin:/sbin` };

interface EngineState {
  socket: string;
  more: readonly string[];
  before: Surroundings;
}

/**
 * Starts dockerd with its own data, exec root and socket, and makes it a Swarm of one node on 127.0.0.1.
 * dockerd picks the storage driver itself: overlay2 where the file system allows it, else vfs.
 *
 * @throws OperatorError if this is no root shell, another engine runs in this network namespace, or dockerd does not
 *   answer in a minute (with the end of its log). Nothing is left running then.
 */
export async function startEngine({
  dir,
  socket = `${dir}/docker.sock`,
  more = [],
}: EngineOptions): Promise<Engine> {
  if (process.getuid?.() !== 0) {
    throw engineError("A Docker Engine of its own needs root on Linux.", "Run this as root, or with sudo.");
  }
  if (Math.max(dir.length + LONGEST_SOCKET.length, socket.length) > SOCKET_PATH_MAX) {
    throw engineError(
      `The path ${dir} is too long for the engine's sockets.`,
      "Use a shorter directory, for example below /tmp.",
    );
  }
  const before = await surroundings();
  // A second dockerd empties the first one's iptables chains when it starts, which cuts off its published ports.
  const other = before.engines[0];
  if (other !== undefined) {
    throw engineError(
      `Another Docker Engine (process ${other}) runs in this network namespace.`,
      "Stop it, or run this in a network namespace of its own, as test/e2e/run.sh does.",
    );
  }
  await mkdir(dir, { recursive: true });
  await writeFile(`${dir}/engine.json`, JSON.stringify({ socket, more, before } satisfies EngineState));
  const pid = await spawnDaemon(dir, socket, [], more);
  const dockerHost = `unix://${socket}`;
  try {
    await waitUntilUp(dir, pid, dockerHost);
    await docker(dockerHost, ["swarm", "init", "--advertise-addr", "127.0.0.1"]);
  } catch (cause) {
    await stopEngine(dir);
    throw cause;
  }
  return { dockerHost, pid, stop: () => stopEngine(dir) };
}

/**
 * Ends the engine that `startEngine` left running in `dir`, from any process. Does nothing if none is there.
 *
 * @throws OperatorError if dockerd is still alive after it was killed.
 */
export async function stopEngine(dir: string): Promise<void> {
  const state = await readState(dir);
  if (state === undefined) return;
  const pid = await readPid(dir);
  if (pid !== undefined && (await isAlive(pid))) {
    // Leaving first stops the tasks in order and takes the overlay networks down. An engine that is not (yet) in a Swarm refuses.
    const leave = ["--host", `unix://${state.socket}`, "swarm", "leave", "--force"];
    await execa("docker", leave, { env, timeout: STOP_TIMEOUT_MS, reject: false });
    await terminate(pid);
  }
  await removeTraces(dir, state.before);
}

/**
 * Ends the engine in `dir` and starts it again: its Swarm and what runs in it come back.
 *
 * @throws OperatorError if none is there, or it does not come up again
 */
export async function restartEngine(dir: string): Promise<void> {
  const state = await readState(dir);
  const pid = await readPid(dir);
  if (state === undefined || pid === undefined)
    throw engineError(`No engine runs in ${dir}.`, "Start one first.");
  await terminate(pid);
  const started = await spawnDaemon(dir, state.socket, [], state.more);
  await waitUntilUp(dir, started, `unix://${state.socket}`);
}

/**
 * Starts dockerd with everything of its own below `dir`.
 *
 * @param wrapper a program with arguments that runs dockerd, such as one that enters a namespace first
 * @param more arguments of dockerd
 * @returns its process id
 */
export async function spawnDaemon(
  dir: string,
  socket: string,
  wrapper: readonly string[] = [],
  more: readonly string[] = [],
): Promise<number> {
  const args = [
    ...["--data-root", `${dir}/data`, "--exec-root", `${dir}/exec`, "--pidfile", `${dir}/docker.pid`],
    ...["--host", `unix://${socket}`],
    // If the machine runs a containerd, dockerd uses that one: its own namespaces there keep it apart from others.
    ...["--containerd-namespace", "hephaestus", "--containerd-plugins-namespace", "hephaestus-plugins"],
    ...more,
  ];
  const log = openSync(`${dir}/dockerd.log`, "a");
  // Detached: Ctrl-C in the terminal reaches us alone, and we end dockerd in order. Node's own spawn, since execa's
  // output pipes would end with this process and dockerd must be able to outlive it.
  const options: SpawnOptions = {
    env: { ...process.env, ...env },
    detached: true,
    stdio: ["ignore", log, log],
  };
  const [program = "", ...rest] = [...wrapper, "dockerd", ...args];
  const daemon = spawn(program, rest, options);
  closeSync(log);
  try {
    await once(daemon, "spawn");
  } catch (cause) {
    throw engineError("dockerd cannot be started.", "Install it: apt-get install docker.io", cause);
  }
  daemon.unref();
  if (daemon.pid === undefined) throw new Error("A process that was spawned has no id.");
  return daemon.pid;
}

/** @throws OperatorError with the end of its log when dockerd does not answer in a minute */
export async function waitUntilUp(dir: string, pid: number, dockerHost: string): Promise<void> {
  const end = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < end && (await isAlive(pid))) {
    const { failed } = await execa("docker", ["--host", dockerHost, "version"], {
      env,
      reject: false,
      timeout: 5000,
    });
    if (!failed) return;
    await sleep(100);
  }
  const log = await readFile(`${dir}/dockerd.log`, "utf8").catch(() => "");
  const lines = log.trimEnd().split("\n").slice(-12).join("\n");
  throw engineError(
    `dockerd did not come up. The end of its log:\n${lines}`,
    `The whole log is ${dir}/dockerd.log.`,
  );
}

/** @throws OperatorError when dockerd does not end, not even killed */
export async function terminate(pid: number): Promise<void> {
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    process.kill(pid, signal);
    const end = Date.now() + STOP_TIMEOUT_MS / 2;
    while (Date.now() < end) {
      if (!(await isAlive(pid))) return;
      await sleep(50);
    }
  }
  throw engineError(`dockerd (process ${pid}) does not end.`, "Look at it with ps, and end it by hand.");
}

async function docker(dockerHost: string, args: string[]): Promise<void> {
  const result = await execa("docker", ["--host", dockerHost, ...args], {
    env,
    reject: false,
    timeout: START_TIMEOUT_MS,
  });
  if (!result.failed) return;
  throw engineError(
    `docker ${args.slice(0, 2).join(" ")} failed: ${result.stderr.trim()}`,
    "Read the engine's log.",
    result,
  );
}

async function readState(dir: string): Promise<EngineState | undefined> {
  const text = await readFile(`${dir}/engine.json`, "utf8").catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as EngineState);
}

/** @returns the process id in the pidfile, if it is (still) that of a dockerd: after a reboot it may be anybody's. */
export async function readPid(dir: string): Promise<number | undefined> {
  const pid = Number(await readFile(`${dir}/docker.pid`, "utf8").catch(() => ""));
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  const commandLine = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return commandLine.includes(`${dir}/docker.pid`) ? pid : undefined;
}

function engineError(message: string, remedy: string, cause?: unknown): OperatorError {
  return new OperatorError(message, { remedy, exitCode: ExitCode.preflight, cause });
}
