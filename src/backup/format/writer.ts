import { type FileHandle, open } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import type { Secret } from "../../credentials/secret.js";
import { ExitCode, OperatorError } from "../../errors.js";
import { blobPath, linkPath } from "../../storage/layout.js";
import { LEVELS, type Level, levelFor } from "./compression.js";
import { type Entry, packEntries, packStream } from "./entries.js";
import { footer } from "./footer.js";
import { readJournal, removeJournal, writeJournal } from "./journal.js";
import { collect, Hashing } from "./member.js";
import { findIndex, memberBlobs, type ReadBlob, sizeOf } from "./reader.js";
import { keptMembers } from "./resume.js";
import { type Blob, formatIndex, formatSnapshot, type Member, NAMES, type Snapshot } from "./snapshot.js";
import { writing } from "./writing.js";

/** Blobs up to this size share a member. */
export const SMALL_BLOB = 256 * 1024;
/** Bytes of blobs that are gathered for one member. */
const BATCH = 4 * 1024 * 1024;
const CHUNK = 256 * 1024;

/** Who the registry runs as: plain tar gives the files to them. */
export interface Owner {
  uid: number;
  gid: number;
}

/** Appends a snapshot to a backup. What the file held before is never touched. */
export class ArchiveWriter {
  /** Sizes of the blobs that the backup has. */
  private readonly held = new Map<string, number>();
  private readonly batches: Record<Level, Array<Blob & { bytes: Buffer }>> = { stored: [], deflated: [] };

  private constructor(
    private readonly file: string,
    private readonly handle: FileHandle,
    private readonly owner: Owner,
    private readonly stack: string,
    private readonly members: Member[],
    private position: number,
    /** What a run that was interrupted has left: blobs that need not be read again. */
    readonly resumed: { blobs: number; bytes: number },
    /** Whether the file held a complete snapshot already. */
    readonly isIncremental: boolean,
  ) {
    for (const { blobs = [] } of members) for (const { digest, size } of blobs) this.held.set(digest, size);
  }

  /**
   * Opens a backup to append to it, or begins one. What a broken run has left is kept as far as it is whole, and cut behind.
   *
   * @throws OperatorError when it is a backup of another stack, no backup, damaged or not writable
   */
  static async open(file: string, stack: string, owner: Owner): Promise<ArchiveWriter> {
    const size = await sizeOf(file);
    const found = await findIndex(file);
    const journal = await readJournal(file);
    if (size && !found && !journal) {
      throw refuse(file, "exists and is not a backup", "Specify another file, or remove this one.");
    }
    const other = found?.index.stack ?? (size ? journal?.stack : undefined) ?? stack;
    if (other !== stack) {
      throw refuse(file, `is a backup of the stack ${other}, not of ${stack}`, "Name another file.");
    }
    const complete = found?.end ?? 0;
    const kept = await keptMembers(file, complete, size ?? 0);
    const handle = await writing(file, async () => {
      await writeJournal(file, { stack, completeLength: complete });
      const opened = await open(file, size === undefined ? "wx+" : "r+", 0o600);
      await opened.chmod(0o600);
      await opened.truncate(kept.end);
      return opened;
    });
    const members = [...(found?.index.members ?? []), ...kept.members];
    const blobs = kept.members.flatMap((member) => member.blobs ?? []);
    const bytes = blobs.reduce((sum, blob) => sum + blob.size, 0);
    const resumed = { blobs: blobs.length, bytes };
    return new ArchiveWriter(file, handle, owner, stack, members, kept.end, resumed, found !== undefined);
  }

  /** Whether the backup has this blob. */
  has(digest: string): boolean {
    return this.held.has(digest);
  }

  /** Bytes of a blob that the backup has. */
  sizeOf(digest: string): number | undefined {
    return this.held.get(digest);
  }

  /** Reads blobs that were in the file when it was opened. */
  async *read(isWanted: (digest: string) => boolean): AsyncGenerator<ReadBlob> {
    for (const member of this.members) {
      if (member.blobs?.some(({ digest }) => isWanted(digest)))
        yield* memberBlobs(this.file, member, isWanted);
    }
  }

  /** Bytes of the file so far. */
  get length(): number {
    return this.position;
  }

  /**
   * Adds a blob, hashed while it is read.
   *
   * @returns whether its bytes are what its digest says; if not, it is left out
   */
  async addBlob(blob: Blob, content: AsyncIterable<Buffer>): Promise<boolean> {
    const hashing = new Hashing();
    const bytes = hashing.through(content);
    const isWhole =
      blob.size <= SMALL_BLOB
        ? await this.addSmall(blob, bytes, hashing)
        : await this.addLarge(blob, bytes, hashing);
    if (isWhole) this.held.set(blob.digest, blob.size);
    return isWhole;
  }

  private async addSmall(blob: Blob, content: AsyncIterable<Buffer>, hashing: Hashing): Promise<boolean> {
    const bytes = await collect(content);
    if (hashing.digest() !== blob.digest) return false;
    const level = levelFor(bytes);
    const batch = this.batches[level];
    batch.push({ ...blob, bytes });
    if (batch.reduce((sum, { size }) => sum + size, 0) >= BATCH) await this.flush(level);
    return true;
  }

  private async addLarge(blob: Blob, content: AsyncGenerator<Buffer>, hashing: Hashing): Promise<boolean> {
    const first = await content.next();
    const start: Buffer = first.done ? Buffer.alloc(0) : first.value;
    const whole = (async function* () {
      yield start;
      yield* content;
    })();
    const before = this.position;
    const takeBack = async () => {
      await writing(this.file, () => this.handle.truncate(before));
      this.position = before;
    };
    try {
      const entry = packStream(this.entry(blobPath(blob.digest)), blob.size, whole);
      const member = await this.writeMember(levelFor(start), entry);
      if (hashing.digest() === blob.digest) {
        this.members.push({ ...member, blobs: [blob] });
        return true;
      }
    } catch (error) {
      await takeBack();
      throw error;
    }
    await takeBack();
    return false;
  }

  private async flush(level: Level): Promise<void> {
    const batch = this.batches[level].splice(0);
    if (batch.length === 0) return;
    const entries = batch.map(({ digest, bytes }) => ({ ...this.entry(blobPath(digest)), content: bytes }));
    const member = await this.writeMember(level, [await packEntries(entries)]);
    this.members.push({ ...member, blobs: batch.map(({ digest, size }) => ({ digest, size })) });
  }

  /**
   * Completes the backup: links, config, users, snapshot, index and footer.
   *
   * @param config the text of hephaestus.yaml
   * @param htpasswd people's lines; undefined where there are no users
   */
  async finish(snapshot: Snapshot, config: string, htpasswd: Secret | undefined): Promise<void> {
    for (const level of ["stored", "deflated"] as const) await this.flush(level);
    const member: Member = await this.writeMember(
      "deflated",
      this.snapshotEntries(snapshot, config, htpasswd),
    );
    this.members.push(member);
    const index = formatIndex({ stack: this.stack, members: this.members, snapshot: member });
    const place = await this.writeMember("deflated", [
      await packEntries([{ ...this.entry(NAMES.index), content: index }]),
    ]);
    await writing(this.file, async () => {
      // The footer says that all before it is there, so that has to be on the disk first.
      await this.handle.sync();
      await this.write(footer(place));
      await this.handle.sync();
      await removeJournal(this.file);
    });
  }

  close(): Promise<void> {
    return this.handle.close();
  }

  private async *snapshotEntries(
    snapshot: Snapshot,
    config: string,
    htpasswd: Secret | undefined,
  ): AsyncGenerator<Buffer> {
    for (const link of snapshot.links)
      yield await packEntries([{ ...this.entry(linkPath(link)), content: link.digest }]);
    yield await packEntries([
      { ...this.entry(NAMES.config), content: config },
      ...(htpasswd ? [{ ...this.entry(NAMES.htpasswd), content: htpasswd.reveal() }] : []),
      { ...this.entry(NAMES.snapshot), content: formatSnapshot(snapshot) },
    ]);
  }

  private entry(name: string): Entry {
    return { name, mode: 0o600, ...this.owner, mtime: new Date() };
  }

  private async writeMember(
    level: Level,
    chunks: AsyncIterable<Buffer> | Iterable<Buffer>,
  ): Promise<{ offset: number; length: number }> {
    const offset = this.position;
    const zip = createGzip({ level: LEVELS[level], chunkSize: CHUNK });
    await pipeline(chunks, zip, async (zipped: AsyncIterable<Buffer>) => {
      for await (const chunk of zipped) await writing(this.file, () => this.write(chunk));
    });
    return { offset, length: this.position - offset };
  }

  private async write(bytes: Buffer): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.handle.write(bytes, done, bytes.length - done, this.position);
      done += bytesWritten;
      this.position += bytesWritten;
    }
  }
}

const refuse = (file: string, message: string, remedy: string) =>
  new OperatorError(message, { where: file, remedy, exitCode: ExitCode.usage });
