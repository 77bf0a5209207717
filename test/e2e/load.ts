import { createHash, randomBytes } from "node:crypto";
import { Agent, type OutgoingHttpHeaders, request } from "node:http";

/** HTTP from this process to this machine, with kept connections, as a client of a registry has them. */

export interface Rate {
  perSecond: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
  failed: number;
}

interface Reply {
  status: number;
  location: string;
}

function exchange(
  agent: Agent,
  method: string,
  url: string,
  headers: OutgoingHttpHeaders,
  body?: Buffer,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const length = body ? { "content-length": body.length } : {};
    const outgoing = request(url, { agent, method, headers: { ...headers, ...length } }, (incoming) => {
      incoming.resume();
      incoming.on("end", () =>
        resolve({ status: incoming.statusCode ?? 0, location: incoming.headers.location ?? "" }),
      );
      incoming.on("error", reject);
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

/**
 * Asks one URL again and again over some connections, each with a pause of so many milliseconds; at most `most` times.
 *
 * @param localAddress the address of this machine to ask from
 */
export async function rate(
  url: string,
  headers: OutgoingHttpHeaders | (() => OutgoingHttpHeaders),
  {
    connections,
    seconds,
    most = 200_000,
    wanted = [200],
    pause = 0,
    localAddress,
  }: {
    connections: number;
    seconds: number;
    most?: number;
    wanted?: readonly number[];
    pause?: number;
    localAddress?: string;
  },
): Promise<Rate> {
  const from = localAddress === undefined ? {} : { localAddress };
  const agent = new Agent({ keepAlive: true, maxSockets: connections, ...from });
  const times: number[] = [];
  let failed = 0;
  let sent = 0;
  const start = performance.now();
  const end = start + seconds * 1000;
  const worker = async () => {
    while (performance.now() < end && sent++ < most) {
      const began = performance.now();
      const given = typeof headers === "function" ? headers() : headers;
      const { status } = await exchange(agent, "GET", url, given).catch(() => ({ status: 0 }));
      times.push(performance.now() - began);
      if (!wanted.includes(status)) failed++;
      if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
    }
  };
  await Promise.all(Array.from({ length: connections }, worker));
  const elapsed = (performance.now() - start) / 1000;
  agent.destroy();
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
  return { perSecond: times.length / elapsed, p50: at(0.5), p99: at(0.99), failed };
}

export interface Blob {
  digest: string;
  data: Buffer;
}

export function randomBlob(bytes: number): Blob {
  const data = randomBytes(bytes);
  return { data, digest: `sha256:${createHash("sha256").update(data).digest("hex")}` };
}

/** Pushes blobs one after the other, as a client does with layers. */
export async function push(
  registry: string,
  repository: string,
  blobs: readonly Blob[],
  headers: OutgoingHttpHeaders,
) {
  const agent = new Agent({ keepAlive: true });
  for (const { digest, data } of blobs) {
    const opened = await exchange(agent, "POST", `${registry}/v2/${repository}/blobs/uploads/`, headers);
    if (opened.status !== 202) throw new Error(`an upload to ${registry} was answered ${opened.status}`);
    // Some proxies name their own port in Location; the upload goes on where it began.
    const { pathname, search } = new URL(opened.location, registry);
    const target = new URL(`${pathname}${search}`, registry);
    target.searchParams.set("digest", digest);
    const done = await exchange(agent, "PUT", target.href, headers, data);
    if (done.status !== 201) throw new Error(`a layer to ${registry} was answered ${done.status}`);
  }
  agent.destroy();
}

/** Puts a manifest under a tag and gives its media type. */
export async function putManifest(
  registry: string,
  repository: string,
  blobs: readonly Blob[],
  headers: OutgoingHttpHeaders,
) {
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const config = randomBlob(64);
  await push(registry, repository, [config], headers);
  const describe = (type: string, { digest, data }: Blob) => ({ mediaType: type, digest, size: data.length });
  const manifest = {
    schemaVersion: 2,
    mediaType,
    config: describe("application/vnd.oci.image.config.v1+json", config),
    layers: blobs.map((blob) => describe("application/vnd.oci.image.layer.v1.tar", blob)),
  };
  const agent = new Agent();
  const url = `${registry}/v2/${repository}/manifests/latest`;
  const body = Buffer.from(JSON.stringify(manifest));
  const { status } = await exchange(agent, "PUT", url, { ...headers, "content-type": mediaType }, body);
  if (status !== 201) throw new Error(`the manifest was answered ${status}`);
  return mediaType;
}
