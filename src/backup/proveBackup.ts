import { createReadStream } from "node:fs";
import { ExitCode, OperatorError } from "../errors.js";
import { concurrently } from "../host/concurrently.js";
import { type Digest, digestOfStream } from "../registry/digest.js";
import type { RegistryApi } from "../registry/registryApi.js";
import type { ProgressMeter } from "../terminal/progress.js";
import { listed } from "../terminal/table.js";
import { bytesOf, seenIn, type Whole, wholeImages } from "./backupContent.js";
import type { Backup } from "./backupDirectory.js";

/** Blobs that are read at once. */
const PARALLEL = 4;

/** What was proved. */
export interface Proof extends Whole {
  /** Bytes that were read. */
  bytes: number;
}

/**
 * Refuses to prove a backup that does not have everything that the registry had.
 *
 * @throws OperatorError that names what was left out
 */
export function requireComplete({ directory, facts }: Pick<Backup, "directory" | "facts">): void {
  const { damage = [] } = facts ?? {};
  if (damage.length === 0) return;
  throw new OperatorError(
    `what the backup has is right, but it is incomplete. Left out was:\n    ${listed(damage)}`,
    {
      where: directory.path,
      remedy: "While the registry is still there, fix the cause and make another backup.",
      exitCode: ExitCode.verify,
    },
  );
}

/**
 * Proves a backup by itself: every blob is read and hashed, and every manifest's config, layers and children
 * are there.
 */
export async function proveBackup(backup: Backup, meter: ProgressMeter): Promise<Proof> {
  const seen = await seenIn(backup);
  const whole = wholeImages(seen);
  const [right, faults] = [new Set<Digest>(), [] as string[]];
  meter.begin(bytesOf(whole, seen.blobs));
  let bytes = 0;
  const count = (length: number) => {
    bytes += length;
    meter.add(length);
  };
  await concurrently([...whole.manifests, ...whole.blobs.keys()], PARALLEL, async (digest) => {
    const content = createReadStream(backup.directory.blobs.path(digest));
    const read = await digestOfStream(content, count).catch((cause: NodeJS.ErrnoException) => cause);
    if (read === digest) right.add(digest);
    else
      faults.push(
        `${digest} ${read instanceof Error ? `cannot be read (${read.code})` : "does not match its digest"}`,
      );
  });
  const proof = wholeImages({ ...seen, blobs: right });
  return { ...proof, damage: [...faults, ...proof.damage], bytes };
}

/**
 * Reads everything of a backup back from a registry.
 *
 * @returns what is missing or wrong there, as sentences
 */
export async function proveRegistry(
  api: RegistryApi,
  { named, blobs }: Whole,
  meter: ProgressMeter,
): Promise<string[]> {
  const faults: string[] = [];
  await concurrently(named, PARALLEL, async ({ repository, tag, digest }) => {
    const found = await api.digestOf(repository, tag ?? digest);
    if (found !== digest)
      faults.push(`${repository}:${tag ?? digest} is ${found ?? "missing"} instead of ${digest}`);
  });
  meter.begin(0);
  await concurrently(blobs, PARALLEL, async ([digest, repository]) => {
    const blob = await api.blob(repository, digest, 0);
    if (blob === undefined) faults.push(`${digest} is missing in ${repository}`);
    else if ((await digestOfStream(blob.content, (bytes) => meter.add(bytes))) !== digest)
      faults.push(`${digest} in ${repository} has other bytes`);
  });
  return faults.sort();
}
