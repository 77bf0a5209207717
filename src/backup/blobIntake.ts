import { LARGEST_MANIFEST, parseReferences, type References } from "../registry/references.js";
import { isEndOfStream, type StorageReader, type StoredBlob } from "../storage/storageReader.js";
import type { ProgressMeter } from "../terminal/progress.js";
import type { ArchiveWriter } from "./format/writer.js";

/** What came of reading blobs into a backup. */
export interface Intake {
  read: { blobs: number; bytes: number };
  /** What the manifests among them refer to. */
  references: Map<string, References>;
  /** Blobs that are not what their digest says, or that the disk does not give, as sentences. */
  damage: string[];
}

/**
 * Reads blobs of the storage into a backup, each hashed on its way.
 *
 * @param manifests digests of those that are manifests
 * @throws OperatorError when the storage or the file fails as a whole; what was read till then is in the file
 */
export async function takeBlobs(
  reader: StorageReader,
  writer: ArchiveWriter,
  wanted: ReadonlyArray<{ digest: string; size: number }>,
  manifests: ReadonlySet<string>,
  meter: ProgressMeter,
  signal: AbortSignal,
): Promise<Intake> {
  const intake: Intake = { read: { blobs: 0, bytes: 0 }, references: new Map(), damage: [] };
  meter.begin(wanted.reduce((sum, { size }) => sum + size, 0));
  for (let left = [...wanted]; left.length > 0; ) {
    const seen = new Set<string>();
    let at = "";
    try {
      for await (const blob of reader.read(left)) {
        at = blob.digest;
        seen.add(at);
        await takeBlob(writer, blob, manifests.has(at), meter, intake);
      }
      break;
    } catch (error) {
      // The disk does not give all of it; the others may be sound.
      if (!isEndOfStream(error) || signal.aborted) throw error;
      intake.damage.push(`${at} cannot be read completely`);
      await reader.close();
      left = left.filter(({ digest }) => !seen.has(digest));
    }
  }
  return intake;
}

async function takeBlob(
  writer: ArchiveWriter,
  { digest, size, content }: StoredBlob,
  isManifest: boolean,
  meter: ProgressMeter,
  { read, references, damage }: Intake,
): Promise<void> {
  const copy: Buffer[] = [];
  const watched = (async function* () {
    for await (const chunk of content) {
      meter.add(chunk.length);
      if (isManifest && size <= LARGEST_MANIFEST) copy.push(chunk);
      yield chunk;
    }
  })();
  const isWhole = await writer.addBlob({ digest, size }, watched);
  read.blobs++;
  read.bytes += size;
  if (!isWhole) damage.push(`${digest} does not match its digest`);
  const own = isWhole && isManifest ? parseReferences(Buffer.concat(copy)) : undefined;
  if (own) references.set(digest, own);
}
