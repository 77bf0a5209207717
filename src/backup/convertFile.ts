import type { Digest } from "../registry/digest.js";
import { mediaTypeOf } from "../registry/mediaTypes.js";
import { parseReferences, type References } from "../registry/references.js";
import type { ProgressMeter } from "../terminal/progress.js";
import type { BackupDirectory, BackupFacts } from "./backupDirectory.js";
import { type Archive, memberBlobs } from "./fileFormat/archive.js";
import { formatIndex, type NamedManifest } from "./ociLayout.js";
import { bytesOf, countsOf, wholeImages } from "./wholeImages.js";

/**
 * Brings a backup of the format before OCI layouts into a directory. Untagged images are kept where something tagged needs
 * them, or where they refer to another image.
 *
 * @returns what the new backup says of itself
 * @throws OperatorError when the file is damaged; what was converted already stays in the directory
 */
export async function convertFile(
  archive: Archive,
  directory: BackupDirectory,
  meter: ProgressMeter,
): Promise<BackupFacts> {
  const { file, index, snapshot } = archive;
  const missing = new Set<Digest>();
  for (const { digest, size } of snapshot.blobs)
    if ((await directory.blobs.sizeOf(digest)) !== size) missing.add(digest);
  meter.begin(snapshot.blobs.reduce((sum, { digest, size }) => sum + (missing.has(digest) ? size : 0), 0));
  for (const member of index.members) {
    if (!member.blobs?.some(({ digest }) => missing.has(digest))) continue;
    for await (const { digest, content } of memberBlobs(file, member, (blob) => missing.has(blob))) {
      // What an earlier run has left of it is written again: a member is read from its beginning.
      await directory.blobs.write(
        digest,
        async () => ({ offset: 0, content }),
        (bytes) => meter.add(bytes),
      );
    }
  }
  const references = new Map<Digest, References>();
  const named: NamedManifest[] = [];
  for (const { kind, repository, tag, digest } of snapshot.links) {
    if (kind !== "tag" && kind !== "revision") continue;
    const bytes = await directory.blobs.small(digest);
    const own = bytes && parseReferences(bytes);
    if (!bytes || !own) continue;
    references.set(digest, own);
    if (kind === "revision" && own.subject === undefined) continue;
    named.push({ repository, tag, digest, mediaType: mediaTypeOf(bytes), size: bytes.length });
  }
  const sizes = await directory.blobs.all();
  const whole = wholeImages({ named: withoutDuplicates(named), references, blobs: sizes });
  const facts: BackupFacts = {
    stack: snapshot.stack,
    time: snapshot.time.toISOString(),
    tool: snapshot.tool,
    ...countsOf(whole),
    bytes: bytesOf(whole, sizes),
    users: snapshot.users.map(({ user, changed }) =>
      changed === undefined ? { user } : { user, changed: changed.toISOString() },
    ),
    damage: [...snapshot.damage, ...whole.damage],
  };
  await directory.add(facts, formatIndex(whole.named), archive.config, archive.htpasswd);
  return facts;
}

/** A referrer that has a tag is not listed without one too. */
function withoutDuplicates(named: readonly NamedManifest[]): NamedManifest[] {
  const tagged = new Set(
    named.filter(({ tag }) => tag !== undefined).map(({ repository, digest }) => `${repository}@${digest}`),
  );
  return named.filter(
    ({ repository, tag, digest }) => tag !== undefined || !tagged.has(`${repository}@${digest}`),
  );
}
