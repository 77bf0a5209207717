import { stat } from "node:fs/promises";
import { Secret } from "../../credentials/secret.js";
import { ExitCode, OperatorError } from "../../errors.js";
import { absentAs } from "../../host/files.js";
import { type Digest, Hashing } from "../../registry/digest.js";
import { FOOTER_LENGTH, FOOTER_START, type Place, parseFooter } from "./footer.js";
import { readMember, readRange, readSmall } from "./member.js";
import {
  type ArchiveIndex,
  type Blob,
  damaged,
  type Member,
  NAMES,
  parseIndex,
  parseSnapshot,
  type Snapshot,
} from "./snapshot.js";
import { blobPath } from "./storageLayout.js";

/** A backup that can be read: its newest complete snapshot. */
export interface Archive {
  file: string;
  index: ArchiveIndex;
  snapshot: Snapshot;
  /** hephaestus.yaml as it was. */
  config: string;
  /** People's lines; undefined where the stack had no users. */
  htpasswd: Secret | undefined;
  /** Whether a run that was interrupted has left bytes behind the snapshot. */
  broken: boolean;
}

/**
 * Opens a backup.
 *
 * @throws OperatorError when there is none, when no snapshot in it is complete, or when what leads to it is damaged
 */
export async function openArchive(file: string): Promise<Archive> {
  const found = await findIndex(file);
  if (!found && (await sizeOf(file)) === undefined) {
    throw new OperatorError("there is no such file", {
      where: file,
      remedy: "Specify a file that hephaestus backup wrote.",
      exitCode: ExitCode.preflight,
    });
  }
  if (!found) {
    throw new OperatorError("holds no complete backup", {
      where: file,
      remedy: "Specify another file, or make a new backup: hephaestus backup DIRECTORY",
      exitCode: ExitCode.preflight,
    });
  }
  const { index, broken } = found;
  const small = async (name: string) => {
    try {
      return await readSmall(file, index.snapshot, name);
    } catch (cause) {
      throw damaged(file, "its snapshot cannot be read", cause);
    }
  };
  const [text, config, htpasswd] = [
    await small(NAMES.snapshot),
    await small(NAMES.config),
    await small(NAMES.htpasswd),
  ];
  if (!text || !config) throw damaged(file, "its snapshot lacks a file");
  return {
    file,
    index,
    snapshot: readable(file, () => parseSnapshot(text.toString("utf8"), file)),
    config: config.toString("utf8"),
    htpasswd: htpasswd && new Secret(htpasswd.toString("utf8")),
    broken,
  };
}

/** The index of a file, and where what belongs to it ends. */
export interface FoundIndex {
  index: ArchiveIndex;
  /** Bytes up to and with its footer. */
  end: number;
  broken: boolean;
}

/**
 * Finds the newest complete index: at the file's end, else where the last complete run ended.
 *
 * @returns undefined where there is none, or no such file
 * @throws OperatorError when it is there and damaged
 */
export async function findIndex(file: string): Promise<FoundIndex | undefined> {
  const size = await sizeOf(file);
  if (size === undefined) return undefined;
  const last = await footerBefore(file, size);
  if (last) return { index: await readIndex(file, last), end: size, broken: false };
  const end = await lastFooterEnd(file, size);
  const earlier = await footerBefore(file, end);
  if (!earlier) return undefined;
  return { index: await readIndex(file, earlier), end, broken: true };
}

const WINDOW = 1024 * 1024;

/** Where the last footer ends, looked for backwards; 0 where there is none. */
async function lastFooterEnd(file: string, size: number): Promise<number> {
  for (let end = size; end > FOOTER_LENGTH; end -= WINDOW) {
    const offset = Math.max(0, end - WINDOW);
    // A footer may lie across the window's end.
    const bytes = await readRange(file, { offset, length: Math.min(size, end + FOOTER_LENGTH) - offset });
    for (
      let at = bytes.lastIndexOf(FOOTER_START);
      at >= 0;
      at = at === 0 ? -1 : bytes.lastIndexOf(FOOTER_START, at - 1)
    ) {
      if (parseFooter(bytes.subarray(at, at + FOOTER_LENGTH))) return offset + at + FOOTER_LENGTH;
    }
  }
  return 0;
}

/** @returns undefined where there is no such file */
export const sizeOf = async (file: string): Promise<number | undefined> =>
  (await stat(file).catch(absentAs(undefined)))?.size;

async function footerBefore(file: string, end: number): Promise<Place | undefined> {
  if (end < FOOTER_LENGTH) return undefined;
  return parseFooter(await readRange(file, { offset: end - FOOTER_LENGTH, length: FOOTER_LENGTH }));
}

async function readIndex(file: string, place: Place): Promise<ArchiveIndex> {
  let text: Buffer | undefined;
  try {
    text = await readSmall(file, place, NAMES.index);
  } catch (cause) {
    throw damaged(file, "its index cannot be read", cause);
  }
  if (!text) throw damaged(file, "its index is not where it should be");
  const json = text.toString("utf8");
  return readable(file, () => parseIndex(json, file));
}

/** What parses wrong although its checksum is right was made by another program. */
function readable<T>(file: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw cause instanceof OperatorError ? cause : damaged(file, "its index or snapshot is not valid", cause);
  }
}

export interface ReadBlob extends Blob {
  content: AsyncIterable<Buffer>;
}

/**
 * The wanted blobs of one member. Each is hashed while it is read: the iteration throws after one whose bytes are not what its
 * digest says.
 *
 * @throws OperatorError when the member or a blob is damaged
 */
export async function* memberBlobs(
  file: string,
  member: Member,
  isWanted: (digest: Digest) => boolean,
): AsyncGenerator<ReadBlob> {
  const expected = [...(member.blobs ?? [])];
  let at: string = expected[0]?.digest ?? "";
  const asDamage = (cause: unknown) =>
    cause instanceof OperatorError ? cause : damaged(file, `${at} (${(cause as Error).message})`, cause);
  try {
    for await (const entry of readMember(file, member)) {
      const blob = expected.shift();
      at = blob?.digest ?? entry.name;
      if (!blob || entry.name !== blobPath(blob.digest) || entry.size !== blob.size)
        throw new Error("is not where its index says");
      if (!isWanted(blob.digest)) continue;
      const hashing = new Hashing();
      const content = failingAs(hashed(entry.content, hashing), asDamage);
      yield { ...blob, content };
      for await (const _rest of content);
      if (hashing.digest() !== blob.digest) throw new Error("does not match its digest");
    }
    if (expected.length > 0) throw new Error("ends too early");
  } catch (cause) {
    throw asDamage(cause);
  }
}

async function* hashed(content: AsyncIterable<Buffer>, hashing: Hashing): AsyncGenerator<Buffer> {
  for await (const chunk of content) {
    hashing.update(chunk);
    yield chunk;
  }
}

/** Faults of reading have other messages. */
async function* failingAs(
  content: AsyncIterable<Buffer>,
  inWords: (cause: unknown) => unknown,
): AsyncGenerator<Buffer> {
  try {
    yield* content;
  } catch (cause) {
    throw inWords(cause);
  }
}
