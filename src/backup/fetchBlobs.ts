import { setTimeout as sleep } from "node:timers/promises";
import { ExitCode, OperatorError } from "../errors.js";
import { concurrently } from "../host/concurrently.js";
import type { Digest } from "../registry/digest.js";
import type { Content } from "../registry/references.js";
import type { RegistryApi } from "../registry/registryApi.js";
import type { ProgressMeter } from "../terminal/progress.js";
import type { BlobFiles } from "./blobFiles.js";

/** Blobs that are read at once. */
const PARALLEL = 4;
/** Milliseconds before a connection that broke is made again. */
const PAUSES = [500, 2000, 5000];

/** What was read. */
export interface FetchedBlobs {
  blobs: number;
  bytes: number;
  /** Blobs that are missing or wrong, as sentences. */
  damage: string[];
}

export type Wanted = Content & { repository: string };

/**
 * Reads blobs into a backup, several at once. A blob that breaks off is continued where it stopped, in this
 * run or the next.
 *
 * @throws OperatorError when the registry does not answer any more, or the disk is full
 */
export async function fetchBlobs(
  api: RegistryApi,
  files: BlobFiles,
  wanted: readonly Wanted[],
  meter: ProgressMeter,
  signal: AbortSignal,
): Promise<FetchedBlobs> {
  const fetched: FetchedBlobs = { blobs: 0, bytes: 0, damage: [] };
  meter.begin(wanted.reduce((sum, { size = 0 }) => sum + size, 0));
  await concurrently(wanted, PARALLEL, async (blob) => {
    const result = await fetchBlob(api, files, blob, meter, signal);
    if (typeof result === "string") fetched.damage.push(result);
    else {
      fetched.blobs++;
      fetched.bytes += result.bytes;
    }
  });
  return fetched;
}

/** @returns the bytes that were read, or what is wrong */
async function fetchBlob(
  api: RegistryApi,
  files: BlobFiles,
  { digest, repository, size }: Wanted,
  meter: ProgressMeter,
  signal: AbortSignal,
): Promise<{ bytes: number } | string> {
  if (size !== undefined && (await files.takeOver(digest, size))) return { bytes: 0 };
  let continued = false;
  const read = async (offset: number) => {
    const blob = await api.blob(repository, digest, offset);
    if (blob === undefined) throw new Missing();
    continued = blob.offset > 0;
    return blob;
  };
  for (let attempt = 0; ; attempt++) {
    try {
      const { bytes, isRight } = await files.write(digest, read, (count) => meter.add(count));
      if (isRight) return { bytes };
      // What was continued may have been wrong already: it is read again from its beginning.
      if (!continued) return `${digest} in ${repository} does not match its digest`;
    } catch (error) {
      if (error instanceof Missing) return `${digest} is missing in ${repository}`;
      if (error instanceof OperatorError || signal.aborted) throw error;
      const pause = PAUSES[attempt];
      if (pause === undefined) throw brokeOff(digest, error);
      await sleep(pause, undefined, { signal });
    }
  }
}

class Missing extends Error {}

const brokeOff = (digest: Digest, cause: unknown): OperatorError =>
  new OperatorError(`the connection broke while ${digest} was read (${(cause as Error).message})`, {
    remedy: "Run the same command again: it continues where it stopped.",
    exitCode: ExitCode.verify,
    cause,
  });
