import type { Readable, Writable } from "node:stream";
import { execa } from "execa";
import { type CommandResult, childEnvironment, type DockerOptions, interrupted } from "./run.js";

/** A docker command that runs: bytes in, bytes out. */
export interface DockerProcess {
  stdin: Writable;
  stdout: Readable;
  /** Its end; stdout is empty there. Never rejects. */
  ended: Promise<CommandResult>;
  /** Ends the command at once; a container that it started may keep running. */
  kill(): void;
}

/** Starts docker with an argument list, in which no secret may stand. */
export type StartDocker = (args: readonly string[]) => DockerProcess;

/** How much of standard error is kept: its end. */
const KEPT_ERRORS = 8_192;

/** Docker commands whose input and output are streams, for what does not fit into memory. */
export function dockerStreams(options: DockerOptions): StartDocker {
  const globalArguments = options.context === undefined ? [] : ["--context", options.context];
  return (args) => {
    options.onCommand?.(args);
    if (options.signal?.aborted) throw interrupted();
    const child = execa("docker", [...globalArguments, ...args], {
      env: childEnvironment() as Record<string, string>,
      extendEnv: false,
      reject: false,
      buffer: false,
      // Docker's program lets the container have other signals, or waits; the container is ended by who started it.
      killSignal: "SIGKILL",
      ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
    });
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => {
      stderr = (stderr + String(chunk)).slice(-KEPT_ERRORS);
    });
    // Who writes learns of a broken pipe by the exit code.
    child.stdin.on("error", () => undefined);
    return {
      stdin: child.stdin,
      stdout: child.stdout,
      ended: child.then(({ exitCode }) => ({ exitCode: exitCode ?? 255, stdout: "", stderr })),
      kill: () => child.kill(),
    };
  };
}
