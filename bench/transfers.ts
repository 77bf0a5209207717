/** Images of many megabytes: pushed by one client, pulled by one, and pulled by a hundred at once. */
import { createHash, randomBytes } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { download, processorSeconds, upload } from "./clients.js";
import type { Contestant } from "./contestants.js";

const LAYERS = 5;
const LAYER_BYTES = 100_000_000;
const STORM_CLIENTS = 100;
const STORM_LAYERS = 4;
const STORM_BYTES = 10_000_000;

export interface Transfer {
  seconds: number;
  /** Of the processors, by the servers. */
  processor: number;
}

interface Layer {
  path: string;
  digest: string;
}

async function layers(folder: string, count: number, bytes: number): Promise<Layer[]> {
  await mkdir(folder, { recursive: true });
  return Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const data = randomBytes(bytes);
      await writeFile(`${folder}/${index}`, data);
      return {
        path: `${folder}/${index}`,
        digest: `sha256:${createHash("sha256").update(data).digest("hex")}`,
      };
    }),
  );
}

async function measured({ groups }: Contestant, work: () => Promise<unknown>): Promise<Transfer> {
  const [before, start] = [await processorSeconds(groups), performance.now()];
  await work();
  const seconds = (performance.now() - start) / 1000;
  return { seconds, processor: (await processorSeconds(groups)) - before };
}

async function push({ url, headers }: Contestant, repository: string, all: readonly Layer[]): Promise<void> {
  for (const { path, digest } of all) {
    const opened = await fetch(`${url}/v2/${repository}/blobs/uploads/`, { method: "POST", headers });
    if (opened.status !== 202) throw new Error(`an upload to ${url} was answered ${opened.status}`);
    // Some proxies name their own port in Location; the upload goes on where it began.
    const { pathname, search } = new URL(opened.headers.get("location") ?? "", url);
    const target = new URL(`${pathname}${search}`, url);
    target.searchParams.set("digest", digest);
    await upload(target.href, { ...headers, "Content-Type": "application/octet-stream", Expect: "" }, path);
  }
}

const blobs = ({ url }: Contestant, repository: string, all: readonly Layer[]): string[] =>
  all.map(({ digest }) => `${url}/v2/${repository}/blobs/${digest}`);

/** Pushes new layers to each of some registries, and pulls them. */
export async function pushAndPull(
  contestants: readonly Contestant[],
  folder: string,
  round: number,
  found: (contestant: Contestant, what: "push" | "pull", transfer: Transfer) => void,
): Promise<void> {
  const all = await layers(folder, LAYERS, LAYER_BYTES);
  const repository = `bench/big${round}`;
  for (const each of contestants)
    found(each, "push", await measured(each, () => push(each, repository, all)));
  await rm(folder, { recursive: true });
  for (const each of contestants)
    found(each, "pull", await measured(each, () => download(blobs(each, repository, all), LAYER_BYTES)));
}

/** A hundred clients that pull one image at once. */
export async function storm(
  contestants: readonly Contestant[],
  folder: string,
  round: number,
  found: (contestant: Contestant, transfer: Transfer) => void,
): Promise<void> {
  const all = await layers(folder, STORM_LAYERS, STORM_BYTES);
  const repository = `bench/storm${round}`;
  for (const each of contestants) await push(each, repository, all);
  await rm(folder, { recursive: true });
  for (const each of contestants) {
    const client = () => download(blobs(each, repository, all), STORM_BYTES);
    found(each, await measured(each, () => Promise.all(Array.from({ length: STORM_CLIENTS }, client))));
  }
}
