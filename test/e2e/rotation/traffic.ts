/** What goes on while passwords change: pulls of anybody, and pushes of a user who has nothing to do with it. */
import { createHash } from "node:crypto";
import { Agent, request } from "node:http";
import { type Blob, push, putManifest, randomBlob } from "../load.js";

export interface Traffic {
  manifests: number;
  blobs: number;
  pushes: number;
  failures: string[];
}

const SECOND = 1000;
/** Together, and with the pause, at most 80 requests a second: more would only measure the machine. */
export const CONNECTIONS = 8;
const PAUSE = 100;

/** Starts it; `stop` ends it and tells what happened. */
export function startTraffic(
  registry: string,
  repository: string,
  image: { digest: string; mediaType: string },
  authorization: string,
): { stop(): Promise<Traffic> } {
  const traffic: Traffic = { manifests: 0, blobs: 0, pushes: 0, failures: [] };
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  let going = true;
  const note = (what: string, status: number | string) => {
    if (status !== 200) traffic.failures.push(`${new Date().toISOString()} ${what}: ${status}`);
  };
  const pull = async (connection: number) => {
    while (going) {
      if (connection % 2 === 0) {
        const path = `/v2/${repository}/manifests/latest`;
        note("manifest", await get(agent, `${registry}${path}`, { accept: image.mediaType }));
        traffic.manifests++;
      } else {
        note("blob", await get(agent, `${registry}/v2/${repository}/blobs/${image.digest}`, {}));
        traffic.blobs++;
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  };
  const pushing = async () => {
    for (let round = 0; going; round++) {
      const blob = randomBlob(100_000);
      const target = `${repository}-pushed`;
      await push(registry, target, [blob], { authorization })
        .then(() => putManifest(registry, target, [blob], { authorization }))
        .catch((error: unknown) => note(`push ${round}`, String(error)));
      traffic.pushes++;
      await new Promise((resolve) => setTimeout(resolve, 3 * PAUSE));
    }
  };
  const work = Promise.all([
    ...Array.from({ length: CONNECTIONS }, (_, connection) => pull(connection)),
    pushing(),
  ]);
  return {
    async stop() {
      going = false;
      await work;
      agent.destroy();
      return traffic;
    },
  };
}

function get(agent: Agent, url: string, headers: Record<string, string>): Promise<number | string> {
  return new Promise((resolve) => {
    const outgoing = request(url, { agent, headers, timeout: 20 * SECOND }, (incoming) => {
      incoming.resume();
      incoming.on("end", () => resolve(incoming.statusCode ?? 0));
      incoming.on("error", (error) => resolve(error.message));
    });
    outgoing.on("timeout", () => outgoing.destroy(new Error("no answer in 20 seconds")));
    outgoing.on("error", (error) => resolve(error.message));
    outgoing.end();
  });
}

/**
 * A layer that takes as long as the caller wants: its upload begins, and ends when `finish` is called.
 *
 * @returns the status of the upload's end
 */
export async function slowUpload(
  registry: string,
  repository: string,
  authorization: string,
): Promise<{ finish(): Promise<number> }> {
  const begun = await fetch(`${registry}/v2/${repository}/blobs/uploads/`, {
    method: "POST",
    headers: { authorization },
  });
  if (begun.status !== 202) throw new Error(`an upload was answered ${begun.status}`);
  // By the same gateway: the location names the public host, which may be another node, one that dies.
  const { pathname, search } = new URL(begun.headers.get("location") ?? "", registry);
  const location = new URL(pathname + search, registry);
  const hash = createHash("sha256");
  const pieces: Blob[] = Array.from({ length: 2 }, () => randomBlob(300_000));
  for (const { data } of pieces) hash.update(data);
  location.searchParams.set("digest", `sha256:${hash.digest("hex")}`);
  const length = pieces.reduce((sum, { data }) => sum + data.length, 0);
  const headers = { authorization, "content-length": length, "content-type": "application/octet-stream" };
  const outgoing = request(location, { method: "PUT", headers });
  const answered = new Promise<number>((resolve, reject) => {
    outgoing.on("response", (incoming) => {
      incoming.resume();
      resolve(incoming.statusCode ?? 0);
    });
    outgoing.on("error", reject);
  });
  // Until it is waited for, a failure is nobody's.
  answered.catch(() => undefined);
  await new Promise((resolve) => outgoing.write(pieces[0]?.data, resolve));
  return {
    finish() {
      outgoing.end(pieces[1]?.data);
      return answered;
    },
  };
}
