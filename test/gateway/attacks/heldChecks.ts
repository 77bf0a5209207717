/** Stands in the registry's place for checks of unknown credentials: what is asked is counted, and answered when the test wants it. */
import { once } from "node:events";
import { createServer } from "node:http";

/** The gateway's two ways to the registry for unknown credentials. */
export type Queue = "swift" | "pace";

export class HeldChecks {
  private readonly asked: { queue: Queue; network: string }[] = [];
  private held: (() => void)[] | undefined;

  private constructor(
    /** What takes the registry's address, in a config of nginx. */
    readonly addressOf: (queue: Queue) => string,
  ) {}

  static async start(): Promise<HeldChecks> {
    const server = createServer(({ url = "", headers }, response) => {
      const [, queue] = url.split("/") as [string, Queue];
      checks.asked.push({ queue, network: String(headers["x-client-network"]) });
      const refuse = () => response.writeHead(401).end();
      if (checks.held === undefined) refuse();
      else checks.held.push(refuse);
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    server.unref();
    const { port } = server.address() as { port: number };
    const checks = new HeldChecks((queue) => `127.0.0.1:${port}/${queue}`);
    return checks;
  }

  /** How many were asked so far, in one of the queues or by one network. */
  count(of: { queue: Queue } | { network: string }): number {
    return this.asked.filter((one) => ("queue" in of ? one.queue === of.queue : one.network === of.network))
      .length;
  }

  /** From now on no check is answered. */
  hold(): void {
    this.held ??= [];
  }

  /** All passwords were wrong, and so are those that come. */
  release(): void {
    for (const refuse of this.held ?? []) refuse();
    this.held = undefined;
  }
}
