import { request as httpRequest } from "node:http";
import { createServer, request, type Server } from "node:https";
import type { SelfSigned } from "../../support/selfSigned.js";
import { listen } from "../doctor/fakes.js";

export interface Asked {
  method?: string;
  headers?: Record<string, string>;
}

/** Ends TLS in Traefik's place, and sends to the tasks in turn. */
export class TlsEndpoint {
  /** Whether it answers 503 instead. */
  isBroken = false;
  private turn = 0;
  private readonly server: Server;

  private constructor(
    private readonly port: number,
    private readonly certificate: SelfSigned,
    private readonly tasks: ReadonlyMap<string, readonly string[]>,
  ) {
    this.server = createServer(certificate, (incoming, answer) => {
      const tasksOfHost = this.tasks.get(incoming.headers.host?.replace(/:.*/, "") ?? "") ?? [];
      const [host, taskPort] = tasksOfHost[this.turn++ % tasksOfHost.length]?.split(":") ?? [];
      if (this.isBroken) return answer.writeHead(503).end();
      const { method, url: path, headers } = incoming;
      const outgoing = httpRequest({ host, port: taskPort, method, path, headers }, (reply) =>
        reply.pipe(answer.writeHead(reply.statusCode ?? 500, reply.headers)),
      );
      outgoing.on("error", () => answer.writeHead(502).end());
      incoming.pipe(outgoing);
    });
  }

  /** @param tasks addresses with ports, by host name */
  static async open(
    port: number,
    certificate: SelfSigned,
    tasks: ReadonlyMap<string, readonly string[]>,
  ): Promise<TlsEndpoint> {
    const endpoint = new TlsEndpoint(port, certificate, tasks);
    await listen(endpoint.server, port);
    return endpoint;
  }

  /** Shows another certificate from now on. */
  show(certificate: SelfSigned): void {
    this.server.setSecureContext(certificate);
  }

  /** The status of a request from outside, by a client that trusts the first certificate. */
  ask(host: string, path: string, { method = "GET", headers = {} }: Asked = {}): Promise<number> {
    const options = { host: "127.0.0.1", servername: host, port: this.port, ca: this.certificate.cert };
    return new Promise((resolve, reject) => {
      const outgoing = request({ ...options, path, method, headers: { host, ...headers } }, (answer) => {
        answer.resume();
        answer.on("end", () => resolve(answer.statusCode ?? 0));
      });
      outgoing.on("error", reject);
      outgoing.end();
    });
  }

  close(): void {
    this.server.close();
  }
}
