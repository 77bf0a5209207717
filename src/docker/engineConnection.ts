import { spawn } from "node:child_process";
import { Agent, request } from "node:http";
import { Duplex } from "node:stream";
import { childEnvironment } from "./childEnvironment.js";

/** A request to the Docker Engine API. */
export interface EngineRequest {
  method: "GET" | "POST" | "DELETE";
  /** Without the version of the API. */
  path: string;
  /** Sent as JSON. It stands in no argument list and in no message, so it may hold a secret. */
  body?: unknown;
  /** More headers. They stand nowhere else either. */
  headers?: Readonly<Record<string, string>>;
  /** Milliseconds after which there is no answer. */
  timeout?: number;
}

export interface EngineAnswer {
  /** The HTTP status; undefined if the engine did not answer. */
  status?: number;
  /** What the engine answered, or why it did not. */
  body: string;
}

const REQUEST_MILLISECONDS = 60_000;

/**
 * One request at a time is usual, and the heartbeat of the lock must not wait for it. So this is the most
 * processes that one command starts.
 */
const MOST_CONNECTIONS = 2;

/**
 * The way to the engine that docker talks to. `docker system dial-stdio` (CLI 18.09 and newer) connects its
 * standard input and output with the engine, wherever that is: a socket, TLS, ssh. The process starts with
 * the first request, serves all others too, and never keeps this program from ending.
 */
export class EngineConnection {
  private readonly agent: Agent;
  private version: string | undefined;

  /** @param globalArguments of docker: the context */
  constructor(globalArguments: readonly string[]) {
    this.agent = new DialAgent(globalArguments);
  }

  /**
   * Asks in the engine's own version of the API: in an older one, the spec of a service loses the fields that
   * came later.
   *
   * @throws NodeJS.ErrnoException when the docker command does not start
   */
  async ask(asked: EngineRequest, signal: AbortSignal | undefined): Promise<EngineAnswer> {
    try {
      if (this.version === undefined) {
        const { body } = await this.exchange({ method: "GET", path: "/version" }, signal);
        this.version = /"ApiVersion":\s*"(\d+\.\d+)"/.exec(body)?.[1];
        if (this.version === undefined) return { body };
      }
      return await this.exchange({ ...asked, path: `/v${this.version}${asked.path}` }, signal);
    } catch (error) {
      if (error instanceof NoAnswer) return { body: error.message };
      throw error;
    }
  }

  /**
   * A connection that broke between two requests is opened anew, if asking twice cannot do something twice.
   * The others may have broken at the same time, as when systemd ends the processes of a unit.
   */
  private async exchange(asked: EngineRequest, signal: AbortSignal | undefined): Promise<EngineAnswer> {
    for (;;) {
      try {
        return await send(this.agent, asked, signal);
      } catch (error) {
        if (!(error instanceof NoAnswer && error.mayAskAgain) || asked.method === "POST") throw error;
      }
    }
  }
}

class NoAnswer extends Error {
  constructor(
    message: string,
    /** Whether a connection broke that had served another request before. */
    readonly mayAskAgain = false,
  ) {
    super(message);
  }
}

function send(
  agent: Agent,
  { method, path, body, headers: more, timeout = REQUEST_MILLISECONDS }: EngineRequest,
  signal: AbortSignal | undefined,
): Promise<EngineAnswer> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? "" : JSON.stringify(body);
    const headers = {
      ...more,
      "content-type": "application/json",
      "content-length": Buffer.byteLength(text),
    };
    const asked = request({ agent, method, path, host: "docker", headers, ...(signal ? { signal } : {}) });
    const watch = setTimeout(() => asked.destroy(new NoAnswer("did not answer in time")), timeout);
    const failed = (error: NodeJS.ErrnoException) => {
      clearTimeout(watch);
      // A program that did not start has the system call in its error.
      const isOurs = error instanceof NoAnswer || error.syscall?.startsWith("spawn") || signal?.aborted;
      reject(isOurs ? error : new NoAnswer(error.message, asked.reusedSocket));
    };
    asked.on("error", failed);
    // Whatever happens to it, it ends; after an answer this says nothing any more.
    asked.on("close", () => failed(new Error("the connection was closed")));
    asked.on("response", (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.on("error", failed);
      answer.on("end", () => {
        clearTimeout(watch);
        resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") });
      });
    });
    asked.end(text);
  });
}

/** Opens connections, and keeps them open between two requests. */
class DialAgent extends Agent {
  constructor(private readonly globalArguments: readonly string[]) {
    super({ keepAlive: true, maxSockets: MOST_CONNECTIONS });
  }

  override createConnection(): Duplex {
    return new DialStdio(this.globalArguments);
  }

  override keepSocketAlive(socket: Duplex): boolean {
    (socket as DialStdio).unref();
    return true;
  }
}

/**
 * The standard input and output of one `docker system dial-stdio`. It ends when the process has, with what
 * that said.
 */
class DialStdio extends Duplex {
  private readonly child;

  constructor(globalArguments: readonly string[]) {
    super();
    // In a session of its own: Ctrl-C goes to all processes of the terminal's group, and what is cleaned up
    // then needs it.
    this.child = spawn("docker", [...globalArguments, "system", "dial-stdio"], {
      env: childEnvironment(),
      detached: true,
    });
    let complaint = "";
    this.child.stderr.setEncoding("utf8").on("data", (text: string) => {
      complaint += text;
    });
    this.child.stdout.on("data", (chunk: Buffer) => {
      if (!this.push(chunk)) this.child.stdout.pause();
    });
    // How the process ends says more.
    this.child.stdin.on("error", () => undefined);
    this.child.on("error", (error) => this.destroy(error));
    this.child.on("close", () => {
      this.destroy(new Error(complaint.trim() || "the connection was closed"));
    });
  }

  /** Lets this program wait for the process. The agent calls it when a kept connection is used again. */
  ref(): void {
    this.hold("ref");
  }

  /** Lets this program end without waiting for the process. */
  unref(): void {
    this.hold("unref");
  }

  private hold(how: "ref" | "unref"): void {
    for (const part of [this.child, ...this.child.stdio]) (part as typeof this.child | null)?.[how]();
  }

  override _read(): void {
    this.child.stdout.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.child.stdin.write(chunk, () => done());
  }

  override _final(done: () => void): void {
    this.child.stdin.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    // Docker may let a request to end pass while it waits for the engine, and this program would wait with
    // it.
    this.unref();
    this.child.stdin.destroy();
    this.child.kill("SIGKILL");
    done(error);
  }
}
