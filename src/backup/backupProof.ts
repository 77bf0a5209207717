import { OperatorError } from "../errors.js";
import { parseReferences, type References } from "../registry/references.js";
import type { ProgressMeter } from "../terminal/progress.js";
import { consistent } from "./consistency.js";
import { type Archive, memberBlobs } from "./format/reader.js";

/**
 * Proves a backup by itself: every blob is hashed, and every manifest's config, layers and children are looked for, by what
 * the manifests themselves say.
 *
 * @returns what is wrong, as sentences
 */
export async function proveArchive(archive: Archive, meter: ProgressMeter): Promise<string[]> {
  const { file, index, snapshot } = archive;
  const wanted = new Set(snapshot.blobs.map(({ digest }) => digest));
  const manifests = new Set(
    snapshot.links.filter(({ kind }) => kind === "revision").map(({ digest }) => digest),
  );
  const [whole, references, faults] = [new Set<string>(), new Map<string, References>(), [] as string[]];
  meter.begin(snapshot.blobs.reduce((sum, { size }) => sum + size, 0));
  for (const member of index.members) {
    if (!member.blobs?.some(({ digest }) => wanted.has(digest))) continue;
    try {
      let last = "";
      for await (const { digest, content } of memberBlobs(file, member, (blob) => wanted.has(blob))) {
        // The reader of the next blob was not stopped by the previous one.
        if (last) whole.add(last);
        last = digest;
        const chunks: Buffer[] = [];
        for await (const chunk of content) {
          meter.add(chunk.length);
          if (manifests.has(digest)) chunks.push(chunk);
        }
        const own = manifests.has(digest) ? parseReferences(Buffer.concat(chunks)) : undefined;
        if (own) references.set(digest, own);
      }
      if (last) whole.add(last);
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      faults.push(error.message);
    }
  }
  const { links, damage } = consistent({ links: snapshot.links, blobs: whole, references });
  faults.push(...damage);
  if (links.length !== snapshot.links.length && faults.length === 0)
    faults.push(`${snapshot.links.length - links.length} links name what is not there`);
  return faults;
}
