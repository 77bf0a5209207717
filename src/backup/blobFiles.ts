import { randomUUID } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import { open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { ExitCode, OperatorError } from "../errors.js";
import { absentAs } from "../host/files.js";
import { type Digest, digestOf, digestOfStream, Hashing, isDigest } from "../registry/digest.js";
import { LARGEST_MANIFEST } from "../registry/references.js";
import { blobFile } from "./ociLayout.js";

const { O_CREAT, O_NOFOLLOW, O_TRUNC, O_WRONLY } = constants;

/** The blobs of an OCI image layout, each in a file of its digest. */
export class BlobFiles {
  /** @param layout the directory of the layout */
  constructor(private readonly layout: string) {}

  /** Bytes of a blob; undefined where it is not there. */
  async sizeOf(digest: Digest): Promise<number | undefined> {
    return (await stat(this.path(digest)).catch(absentAs(undefined)))?.size;
  }

  /** The path of a blob. */
  path(digest: Digest): string {
    return join(this.layout, blobFile(digest));
  }

  /** A blob of a manifest's size; undefined where it is not there, is larger, or its bytes are wrong. */
  async small(digest: Digest): Promise<Buffer | undefined> {
    if (((await this.sizeOf(digest)) ?? 0) > LARGEST_MANIFEST) return undefined;
    const bytes = await readFile(this.path(digest)).catch(absentAs(undefined));
    return bytes && digestOf(bytes) === digest ? bytes : undefined;
  }

  /** Digests of all blobs, with their bytes. */
  async all(): Promise<Map<Digest, number>> {
    const names = await readdir(join(this.layout, "blobs", "sha256")).catch(absentAs([]));
    const sizes = new Map<Digest, number>();
    for (const digest of names.map((name) => `sha256:${name}`).filter(isDigest))
      sizes.set(digest, (await this.sizeOf(digest)) ?? 0);
    return sizes;
  }

  async remove(digest: Digest): Promise<void> {
    await rm(this.path(digest), { force: true });
  }

  /** Removes what runs that were killed have left. */
  async removePartial(): Promise<void> {
    const folder = join(this.layout, "blobs", "sha256");
    for (const name of await readdir(folder).catch(absentAs([])))
      if (name.endsWith(".part")) await rm(join(folder, name), { force: true });
  }

  /** Writes a blob whose bytes are at hand. */
  put(digest: Digest, bytes: Uint8Array): Promise<void> {
    const part = `${this.path(digest)}.${randomUUID()}.part`;
    return writing(this.layout, async () => {
      await writeFile(part, bytes, { mode: 0o600 });
      await settle(part, this.path(digest));
    });
  }

  /**
   * Takes over a blob that an earlier run had read to its end when it was killed.
   *
   * @param size its bytes
   * @returns whether there was one, and it is right
   */
  async takeOver(digest: Digest, size: number): Promise<boolean> {
    const part = `${this.path(digest)}.part`;
    if ((await stat(part).catch(absentAs(undefined)))?.size !== size) return false;
    const isRight = (await digestOfStream(createReadStream(part))) === digest;
    await writing(this.layout, () => (isRight ? settle(part, this.path(digest)) : rm(part)));
    return isRight;
  }

  /**
   * Writes a blob. What an earlier run has written of it is continued.
   *
   * @param read its content from so many bytes on; it may begin at 0 instead, and says where it begins
   * @returns the bytes that were read, and whether they are right; a wrong blob is not kept
   */
  async write(
    digest: Digest,
    read: (offset: number) => Promise<{ offset: number; content: AsyncIterable<Uint8Array> }>,
    onBytes: (bytes: number) => void,
  ): Promise<{ bytes: number; isRight: boolean }> {
    const part = `${this.path(digest)}.part`;
    return writing(this.layout, async () => {
      const { offset, content } = await read((await stat(part).catch(absentAs(undefined)))?.size ?? 0);
      const hash = new Hashing();
      if (offset > 0)
        for await (const chunk of createReadStream(part, { end: offset - 1 })) hash.update(chunk);
      // A link is no file that an earlier run has left: it would lead out of the folder.
      const flags = O_WRONLY | O_CREAT | O_NOFOLLOW | (offset > 0 ? 0 : O_TRUNC);
      const file = await open(part, flags, 0o600);
      let bytes = 0;
      await pipeline(
        content,
        async function* (chunks: AsyncIterable<Uint8Array>) {
          for await (const chunk of chunks) {
            hash.update(chunk);
            bytes += chunk.length;
            onBytes(chunk.length);
            yield chunk;
          }
        },
        file.createWriteStream({ start: offset }),
      );
      const isRight = hash.digest() === digest;
      if (isRight) await settle(part, this.path(digest));
      else await rm(part, { force: true });
      return { bytes, isRight };
    });
  }
}

/**
 * Does work on a disk.
 *
 * @throws OperatorError for faults of the disk
 */
export async function writing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw typeof (cause as NodeJS.ErrnoException).syscall === "string" ? unusable(path, cause) : cause;
  }
}

/** Gives a file its name once its content is on the disk. */
async function settle(from: string, to: string): Promise<void> {
  const file = await open(from, "r+");
  await file.sync().finally(() => file.close());
  await rename(from, to);
}

export function unusable(path: string, cause: unknown): OperatorError {
  const { code } = cause as NodeJS.ErrnoException;
  return new OperatorError(code === "ENOSPC" ? "the disk is full (ENOSPC)" : `cannot be written (${code})`, {
    where: path,
    remedy:
      "Make room, or check the permissions, then run the same command again: it continues where it stopped.",
    exitCode: ExitCode.preflight,
    cause,
  });
}
