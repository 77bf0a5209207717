import { connect, createServer } from "node:net";

/** A TCP proxy that counts the bytes that come back from its target. */
export interface CountingProxy {
  /** Bytes since the last call. */
  take(): number;
  stop(): void;
}

/** @param to host and port of the target */
export async function startCountingProxy(
  address: string,
  port: number,
  to: { host: string; port: number },
): Promise<CountingProxy> {
  let bytes = 0;
  const server = createServer((client) => {
    const target = connect(to);
    target.on("data", (chunk) => {
      bytes += chunk.length;
    });
    client.pipe(target).pipe(client);
    for (const [one, other] of [
      [client, target],
      [target, client],
    ] as const)
      one.on("error", () => other.destroy()).on("close", () => other.destroy());
  });
  await new Promise<void>((resolve) => server.listen(port, address, resolve));
  return {
    take: () => {
      const taken = bytes;
      bytes = 0;
      return taken;
    },
    stop: () => server.close(),
  };
}
