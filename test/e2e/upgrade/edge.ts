/**
 * Stands in Traefik's place on its network, inside a container's network by nsenter(1): each request goes to a task of
 * the gateway that takes the connection. Arguments: the gateway's name in Docker's DNS, and the port to listen on.
 */
import { Resolver } from "node:dns/promises";
import { once } from "node:events";
import { createServer, type IncomingMessage, request } from "node:http";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const [name = "", port = ""] = process.argv.slice(2);
const GATEWAY_PORT = 5000;
/** Milliseconds for a task to be found that answers: one is, all the time. */
const PATIENCE = 10_000;

const resolver = new Resolver();
resolver.setServers(["127.0.0.11"]);

/** A connection to one of the tasks that Docker knows as healthy now. */
async function reach(): Promise<Socket> {
  for (const end = Date.now() + PATIENCE; Date.now() < end; await sleep(50)) {
    for (const host of await resolver.resolve4(name).catch(() => [])) {
      const socket = connect({ host, port: GATEWAY_PORT, timeout: 1000 });
      try {
        await once(socket, "connect");
        return socket.setTimeout(0);
      } catch {
        socket.destroy();
      }
    }
  }
  throw new Error(`no task of ${name} takes a connection`);
}

/** Asks once; a request without a body is asked again where the task ended before it answered. */
async function pass(incoming: IncomingMessage): Promise<IncomingMessage> {
  const { method, url, headers } = incoming;
  const isReading = method === "GET" || method === "HEAD";
  for (let tries = 1; ; tries++) {
    const socket = await reach();
    const outgoing = request({
      method,
      path: url,
      headers: { ...headers, connection: "close" },
      createConnection: () => socket,
    });
    incoming.pipe(outgoing);
    try {
      const [answer] = (await once(outgoing, "response")) as [IncomingMessage];
      return answer;
    } catch (error) {
      if (!isReading || tries > 3) throw error;
    }
  }
}

const server = createServer((incoming, response) => {
  pass(incoming)
    .then((answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.pipe(response);
    })
    .catch((error: Error) => response.writeHead(502).end(error.message));
});
server.listen(Number(port), "0.0.0.0", () => console.log("ready"));
process.stdin.resume().on("end", () => process.exit(0));
