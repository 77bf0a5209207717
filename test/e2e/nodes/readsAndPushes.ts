/** Reads and pushes that go on while nodes die. */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { MEDIA } from "../clients/images.js";
import { type Population, Pusher } from "../population.js";

export interface Counts {
  reads: number;
  failures: string[];
  /** Layers that broke off and were continued, as docker does. */
  resumed: number;
  /** Milliseconds of the read that took longest. */
  longest: number;
  pushes: number;
  /** Pushes that failed and succeeded when they were repeated. */
  repeated: number;
  pushFailures: string[];
}

/** Reads and pushes through some gateways until it is stopped. */
export class Load {
  readonly counts: Counts = {
    reads: 0,
    failures: [],
    resumed: 0,
    longest: 0,
    pushes: 0,
    repeated: 0,
    pushFailures: [],
  };
  private ended = false;
  private readonly workers: Promise<void>[];

  constructor(
    endpoints: readonly string[],
    private readonly population: Population,
  ) {
    this.workers = endpoints.flatMap((endpoint) => [
      ...[0, 1, 2].map((offset) => this.read(endpoint, offset)),
      this.push(endpoint),
    ]);
  }

  async stop(): Promise<Counts> {
    this.ended = true;
    await Promise.all(this.workers);
    return this.counts;
  }

  private async read(endpoint: string, offset: number): Promise<void> {
    const manifests = [...this.population.manifests];
    const blobs = [...this.population.blobs];
    // As fast as it can it would only measure the machine.
    for (let turn = offset; !this.ended; turn++, await sleep(150)) {
      const [name = "", digest = ""] = manifests[turn % manifests.length] ?? [];
      const [repository, tag] = name.split(":");
      const [blob = "", { repository: owner } = { repository: "" }] = blobs[turn % blobs.length] ?? [];
      await this.one(`${endpoint}/v2/${repository}/manifests/${tag}`, digest);
      await this.one(`${endpoint}/v2/${repository}/manifests/${digest}`, digest);
      await this.one(`${endpoint}/v2/${owner}/blobs/${blob}`, blob);
    }
  }

  /** One read, as a client does it: a body that breaks off is continued. */
  private async one(url: string, digest: string): Promise<void> {
    const began = Date.now();
    const parts: Buffer[] = [];
    let failure = "";
    for (let attempt = 0; attempt < 6; attempt++) {
      const offset = parts.reduce((sum, { length }) => sum + length, 0);
      let status = 0;
      try {
        const response = await fetch(url, {
          headers: {
            accept: `${MEDIA.manifest}, ${MEDIA.index}`,
            ...(offset > 0 ? { range: `bytes=${offset}-` } : {}),
          },
          signal: AbortSignal.timeout(60_000),
        });
        status = response.status;
        if (status !== 200 && status !== 206) {
          failure = `${url}: ${status} ${await response.text()}`;
          break;
        }
        for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>)
          parts.push(Buffer.from(chunk));
        const sum = createHash("sha256").update(Buffer.concat(parts)).digest("hex");
        failure = `sha256:${sum}` === digest ? "" : `${url}: other bytes`;
        break;
      } catch (error) {
        failure = `${url}: ${String(error)} ${String((error as Error).cause)}`;
        if (status === 0) break;
        this.counts.resumed++;
      }
    }
    this.counts.reads++;
    this.counts.longest = Math.max(this.counts.longest, Date.now() - began);
    if (failure !== "") this.counts.failures.push(failure);
  }

  private async push(endpoint: string): Promise<void> {
    const pusher = new Pusher(endpoint);
    for (let number = 0; !this.ended; number++) {
      const tag = `t${number}`;
      const repository = `pushed/${new URL(endpoint).hostname.replaceAll(".", "-")}`;
      for (let attempt = 0; ; attempt++) {
        const failure = await pusher.image(repository, [], tag).then(
          () => undefined,
          (error: unknown) => String(error),
        );
        if (failure === undefined) {
          this.counts.repeated += attempt > 0 ? 1 : 0;
          break;
        }
        if (attempt === 20) this.counts.pushFailures.push(failure);
        if (attempt === 20) break;
        await sleep(1000);
      }
      this.counts.pushes++;
      await sleep(500);
    }
  }
}
