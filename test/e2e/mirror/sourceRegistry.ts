/** A registry somewhere else: a real one, behind proxies that can refuse, break off and end. */
import { writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { execa } from "execa";
import { addressForTasks } from "../addresses.js";
import { OciClient } from "../clients/ociClient.js";

const CONTAINER = "mirror-source";
const PORT = 5601;

const CONFIG = `version: 0.1
storage: { filesystem: { rootdirectory: /var/lib/registry }, delete: { enabled: true } }
http: { addr: 127.0.0.1:${PORT} }
`;

/**
 * What is wrong with the source registry behind a proxy:
 * - limited: pulls of manifests are answered 429, as Docker Hub does.
 * - breaking: a blob ends in the middle, also when it is continued. The next two times it is not there: regsync waits ever longer
 *   between its attempts to read on, up to 90 seconds in all.
 * - dying: when a blob is asked for, the registry is gone.
 */
export type Fault = "limited" | "breaking" | "dying";

interface Proxy {
  server: Server;
  fault: Fault | undefined;
  /** How often each blob was asked for. */
  asked: Map<string, number>;
}

export class SourceRegistry {
  private readonly proxies: Proxy[] = [];
  /** From this machine, without a proxy. */
  readonly address = `127.0.0.1:${PORT}`;
  readonly oci = new OciClient(`http://${this.address}`);

  private constructor(private readonly host: string) {}

  /**
   * @param image of a registry 3.x
   * @param folder for its config
   */
  static async start(image: string, folder: string): Promise<SourceRegistry> {
    await writeFile(`${folder}/origin.yml`, CONFIG);
    const mount = ["--volume", `${folder}/origin.yml:/etc/distribution/config.yml:ro`];
    await execa("docker", ["run", "--detach", "--name", CONTAINER, "--network", "host", ...mount, image]);
    await answers(`http://127.0.0.1:${PORT}/v2/`);
    return new SourceRegistry(await addressForTasks());
  }

  /**
   * Opens a proxy to the registry.
   *
   * @returns how containers reach it: the registry in the name of an image
   */
  async open(fault?: Fault): Promise<string> {
    const proxy: Proxy = { server: createServer(), fault, asked: new Map() };
    proxy.server.on("request", (incoming, outgoing) => this.pass(proxy, incoming, outgoing));
    await new Promise<void>((resolve) => proxy.server.listen(0, "0.0.0.0", resolve));
    this.proxies.push(proxy);
    return `${this.host}:${(proxy.server.address() as AddressInfo).port}`;
  }

  /** Nothing is wrong behind any proxy from now on. */
  recover(): void {
    for (const proxy of this.proxies) proxy.fault = undefined;
  }

  /** It is gone: nothing listens any more. */
  async end(): Promise<void> {
    for (const { server } of this.proxies.splice(0)) {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    }
    await execa("docker", ["rm", "--force", "--volumes", CONTAINER], { reject: false });
  }

  private pass({ fault, asked }: Proxy, incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { method = "", url = "", headers } = incoming;
    const isBlob = url.includes("/blobs/");
    if (fault === "dying" && isBlob) {
      void this.end();
      return;
    }
    if (fault === "limited" && url.includes("/manifests/")) {
      const error = { code: "TOOMANYREQUESTS", message: "You have reached your pull rate limit." };
      outgoing.writeHead(429, { "content-type": "application/json" });
      outgoing.end(JSON.stringify({ errors: [error] }));
      return;
    }
    if (fault === "breaking" && isBlob) {
      const times = asked.get(url) ?? 0;
      asked.set(url, times + 1);
      if (times % 4 >= 2) {
        outgoing.writeHead(404).end();
        return;
      }
    }
    const upstream = request({ host: "127.0.0.1", port: PORT, method, path: url, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      if (fault !== "breaking" || !isBlob) {
        answer.pipe(outgoing);
        return;
      }
      answer.once("data", (chunk: Buffer) => {
        outgoing.write(chunk.subarray(0, 10));
        setTimeout(() => outgoing.destroy(), 20);
      });
    });
    upstream.on("error", () => outgoing.destroy());
    incoming.pipe(upstream);
  }
}

/** Waits until something answers at an address, for at most 20 seconds. */
async function answers(url: string): Promise<void> {
  for (const end = Date.now() + 20_000; Date.now() < end; await new Promise((go) => setTimeout(go, 200))) {
    if (
      await fetch(url).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      return;
  }
  throw new Error(`${url} does not answer`);
}
