/**
 * Runs inside a container's network, by nsenter(1): Unix sockets lead to addresses there, and a mirror answers with the
 * request that it got. Argument: JSON of `RelayPlan`. Ends when its standard input does.
 */
import { createServer as createHttpServer } from "node:http";
import { connect, createServer } from "node:net";

export interface RelayPlan {
  doors: { socket: string; host: string; port: number }[];
  mirrorPort?: number | undefined;
}

const plan = JSON.parse(process.argv[2] ?? "") as RelayPlan;

const opened = plan.doors.map(({ socket, host, port }) => {
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const target = connect({ host, port, allowHalfOpen: true });
    client.on("error", () => target.destroy()).on("close", () => target.destroy());
    target.on("error", () => client.destroy()).on("close", () => client.destroy());
    client.pipe(target).pipe(client);
  });
  return new Promise<void>((resolve) => server.listen(socket, resolve));
});

const { mirrorPort } = plan;
if (mirrorPort !== undefined) {
  const mirror = createHttpServer(({ method, url, rawHeaders }, response) => {
    const headers = rawHeaders.flatMap((name, index) =>
      index % 2 === 0 ? [`${name}: ${rawHeaders[index + 1]}`] : [],
    );
    response.end([`${method} ${url}`, ...headers].join("\n"));
  });
  opened.push(new Promise((resolve) => mirror.listen(mirrorPort, "127.0.0.1", resolve)));
}

await Promise.all(opened);
console.log("ready");
process.stdin.resume().on("end", () => process.exit(0));
