/** A way to a gateway on which an upload of each push takes long: it waits, which costs nothing. */
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export interface SlowEndpoint {
  /** Where clients find it, without a scheme. */
  registry: string;
  close: () => void;
}

/**
 * @param url of the gateway
 * @param milliseconds that the first upload of each repository takes
 */
export async function slowEndpoint(url: string, milliseconds: number): Promise<SlowEndpoint> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const own = `localhost:${(server.address() as AddressInfo).port}`;
  server.requestTimeout = 0;
  const slowed = new Set<string>();
  server.on("request", async (asked: IncomingMessage, answer: ServerResponse) => {
    const { method = "", headers } = asked;
    const repository = /^\/v2\/(.+)\/blobs\/uploads\//.exec(asked.url ?? "")?.[1];
    const sent = request(url + asked.url, { method, headers });
    sent.on("response", (given) => {
      // The addresses of uploads are the gateway's.
      const location = given.headers.location?.replace(url, `http://${own}`);
      answer.writeHead(given.statusCode ?? 502, { ...given.headers, ...(location && { location }) });
      given.pipe(answer);
    });
    sent.on("error", () => answer.destroy());
    answer.on("close", () => sent.destroy());
    const hasContent =
      Number(headers["content-length"] ?? 0) > 0 || headers["transfer-encoding"] !== undefined;
    if (repository !== undefined && hasContent && !slowed.has(repository)) {
      slowed.add(repository);
      // The gateway judges a request when it begins.
      sent.flushHeaders();
      await sleep(milliseconds, undefined, { ref: false });
    }
    asked.pipe(sent);
  });
  return {
    registry: own,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
