import { createServer, type IncomingHttpHeaders, request, type Server } from "node:http";

/**
 * A way to the engine that a test can disturb: a socket that passes each request on. A docker that stands before the real one
 * sends the questions of hephaestus through it, with `shell`; the docker commands stay as they are.
 */
export class EngineProxy {
  /** Answers a request in the place of the engine, if it gives a message: with status 500. */
  refuse: (method: string, path: string) => string | undefined = () => undefined;
  /** Changes what the engine answers. */
  rewrite: (body: string) => string = (body) => body;

  private constructor(
    private readonly engine: string,
    private readonly socket: string,
    private readonly server: Server,
  ) {}

  /**
   * @param folder for the socket
   * @param dockerHost where the engine is
   */
  static async open(folder: string, dockerHost: string): Promise<EngineProxy> {
    const server = createServer();
    const proxy = new EngineProxy(dockerHost.slice("unix://".length), `${folder}/proxy.sock`, server);
    server.on("request", async (asked, answer) => {
      const { method = "", url = "", headers } = asked;
      const body = Buffer.concat(await asked.toArray());
      const message = proxy.refuse(method, url.replace(/^\/v\d+\.\d+/, ""));
      const { status, text } =
        message === undefined
          ? await proxy.pass(method, url, headers, body)
          : { status: 500, text: JSON.stringify({ message }) };
      answer.writeHead(status).end(text);
    });
    await new Promise<void>((resolve) => server.listen(proxy.socket, resolve));
    return proxy;
  }

  /** Lines of a shell script that is called as docker. */
  get shell(): string {
    return `case "$*" in *"system dial-stdio") DOCKER_HOST=unix://${this.socket}; export DOCKER_HOST ;; esac`;
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  private pass(method: string, path: string, headers: IncomingHttpHeaders, body: Buffer) {
    return new Promise<{ status: number; text: string }>((resolve) => {
      const lost = () => resolve({ status: 502, text: JSON.stringify({ message: "the engine is away" }) });
      const asked = request({ socketPath: this.engine, method, path, headers }, async (answer) => {
        try {
          const text = Buffer.concat(await answer.toArray()).toString("utf8");
          resolve({ status: answer.statusCode ?? 0, text: this.rewrite(text) });
        } catch {
          lost();
        }
      });
      asked.on("error", lost);
      asked.end(body);
    });
  }
}
