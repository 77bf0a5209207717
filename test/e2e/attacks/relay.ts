/**
 * Runs inside a container's network, by nsenter(1): Unix sockets lead to addresses there. Argument: JSON of
 * `RelayPlan`. Ends when its standard input does.
 */
import { connect, createServer } from "node:net";

export interface RelayPlan {
  endpoints: { socket: string; host: string; port: number }[];
}

const plan = JSON.parse(process.argv[2] ?? "") as RelayPlan;

const opened = plan.endpoints.map(({ socket, host, port }) => {
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const target = connect({ host, port, allowHalfOpen: true });
    client.on("error", () => target.destroy()).on("close", () => target.destroy());
    target.on("error", () => client.destroy()).on("close", () => client.destroy());
    client.pipe(target).pipe(client);
  });
  return new Promise<void>((resolve) => server.listen(socket, resolve));
});

await Promise.all(opened);
console.log("ready");
process.stdin.resume().on("end", () => process.exit(0));
