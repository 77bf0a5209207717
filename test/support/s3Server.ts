/** A real S3 server whose buckets are folders (versitygw), for the tests. */
import { spawn } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { goProgram } from "./goPrograms.js";

export interface S3Server {
  /** http://ADDRESS:PORT */
  url: string;
  accessKeyId: string;
  secretAccessKey: string;
  /** The folder of a bucket. */
  bucket(name: string): string;
  stop(): void;
}

/**
 * Starts a server.
 *
 * @param folder an absolute path for its buckets
 * @param address this machine's address that the registry's nodes reach
 * @param buckets names of the buckets that it has
 */
export async function startS3Server(
  cacheDir: string,
  folder: string,
  address: string,
  buckets: readonly string[],
): Promise<S3Server> {
  for (const bucket of buckets) await mkdir(`${folder}/${bucket}`, { recursive: true });
  const [accessKeyId, secretAccessKey] = ["anvil-key", "Hammer-and-tongs-42"];
  const url = `http://${address}:7070`;
  const server = spawn(goProgram(cacheDir, "versitygw"), ["--port", `${address}:7070`, "posix", folder], {
    env: { ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey },
    stdio: "ignore",
  });
  for (let tries = 0; tries < 100; tries++) {
    if (server.exitCode !== null) throw new Error(`versitygw ended with ${server.exitCode}`);
    const isUp = await fetch(url).then(
      () => true,
      () => false,
    );
    if (isUp) break;
    await sleep(100);
  }
  return {
    url,
    accessKeyId,
    secretAccessKey,
    bucket: (name) => `${folder}/${name}`,
    stop: () => server.kill("SIGKILL"),
  };
}
