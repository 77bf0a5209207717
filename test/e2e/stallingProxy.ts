import { createServer, request } from "node:http";
import { listen } from "./doctor/fakes.js";

/**
 * A way to a registry that falls silent when it has given so many bytes of blobs: who reads through it is never done before it is
 * stopped.
 */
export async function startStallingProxy(
  registryUrl: string,
  most: number,
): Promise<{ url: string; stop: () => void }> {
  let left = most;
  const server = createServer((from, to) => {
    const { method, headers } = from;
    const onward = request(`${registryUrl}${from.url}`, { method, headers }, (answer) => {
      to.writeHead(answer.statusCode ?? 502, answer.headers);
      if (!from.url?.includes("/blobs/")) return answer.pipe(to);
      answer.on("data", (part: Buffer) => {
        to.write(part.subarray(0, left));
        left = Math.max(0, left - part.length);
      });
      return answer.on("end", () => left > 0 && to.end());
    });
    from.pipe(onward.on("error", () => to.destroy()));
  });
  const { url } = await listen(server);
  return {
    url,
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
