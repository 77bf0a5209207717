import { z } from "zod";
import { ExitCode, OperatorError } from "../../errors.js";
import { type Digest, digestSchema } from "../../registry/digest.js";
import { sizeSchema } from "../../registry/references.js";
import { isLinkPath, type Link, parseLink } from "./storageLayout.js";

/** The version of the file format that this program converts. */
export const FORMAT_VERSION = 1;

/** Where hephaestus's own files stand in the archive. */
export const NAMES = {
  config: "hephaestus/hephaestus.yaml",
  htpasswd: "hephaestus/htpasswd",
  snapshot: "hephaestus/snapshot.json",
  index: "hephaestus/index.json",
} as const;

export interface Blob {
  digest: Digest;
  size: number;
}

/** What a registry held at a time, and all that belongs to it. */
export interface Snapshot {
  stack: string;
  /** When it was complete. */
  time: Date;
  /** The program that wrote it. */
  tool: string;
  links: Link[];
  blobs: Blob[];
  /** People who may push, and when their passwords last changed, where that is known. */
  users: Array<{ user: string; changed: Date | undefined }>;
  /** What was damaged in the storage already, and is left out. */
  damage: string[];
}

/** A gzip member: where it is, and the blobs in it; undefined for that of a snapshot. */
export interface Member {
  offset: number;
  length: number;
  blobs?: Blob[];
}

/** What a backup file holds. */
export interface ArchiveIndex {
  stack: string;
  members: Member[];
  /** The member of the newest snapshot. */
  snapshot: Member;
}

const dateText = z.string().refine((text) => !Number.isNaN(Date.parse(text)), "is no date");
const blobsSchema = z
  .array(z.tuple([digestSchema, sizeSchema]))
  .transform((list) => list.map(([digest, size]): Blob => ({ digest, size })));
const snapshotSchema = z.object({
  stack: z.string(),
  time: dateText,
  tool: z.string(),
  links: z.array(z.tuple([z.string(), z.string()])),
  blobs: blobsSchema,
  users: z.array(z.object({ user: z.string(), changed: dateText.optional() })),
  damage: z.array(z.string()),
});

/**
 * Reads a snapshot.
 *
 * @param file the backup's name, for errors
 * @throws OperatorError when it is of a newer version, or names a path that a registry does not have
 */
export function parseSnapshot(text: string, file: string): Snapshot {
  const json = parseVersioned(snapshotSchema, text, file);
  const links = json.links.map(([path, digest]) => {
    const link = isLinkPath(path) ? parseLink(path, digest) : undefined;
    if (!link) throw damaged(file, `it has an invalid link: ${JSON.stringify(path)}`);
    return link;
  });
  return {
    stack: json.stack,
    time: new Date(json.time),
    tool: json.tool,
    links,
    blobs: json.blobs,
    users: json.users.map(({ user, changed }) => ({
      user,
      changed: changed ? new Date(changed) : undefined,
    })),
    damage: json.damage,
  };
}

const memberSchema = z.object({
  offset: z.int().min(0),
  length: z.int().min(0),
  blobs: blobsSchema.optional(),
});
const indexSchema = z.object({ stack: z.string(), snapshot: z.int(), members: z.array(memberSchema) });

/** @throws OperatorError when it is of a newer version, or makes no sense */
export function parseIndex(text: string, file: string): ArchiveIndex {
  const json = parseVersioned(indexSchema, text, file);
  const members = json.members.map(({ offset, length, blobs }) => ({
    offset,
    length,
    ...(blobs ? { blobs } : {}),
  }));
  const snapshot = members[json.snapshot];
  if (!snapshot) throw damaged(file, "its index names no snapshot");
  return { stack: json.stack, members, snapshot };
}

function parseVersioned<T>(schema: z.ZodType<T>, text: string, file: string): T {
  let json: { version?: unknown } | null;
  try {
    json = JSON.parse(text) as typeof json;
  } catch {
    throw damaged(file, "its index or snapshot is no JSON");
  }
  if (json?.version === FORMAT_VERSION) return schema.parse(json);
  throw new OperatorError(`is of version ${json?.version}; this hephaestus reads version ${FORMAT_VERSION}`, {
    where: file,
    remedy: "Use the version of hephaestus that wrote it, or a newer one.",
    exitCode: ExitCode.preflight,
  });
}

/** A backup whose bytes are not what was written. */
export const damaged = (file: string, what: string, cause?: unknown): OperatorError =>
  new OperatorError(`is damaged: ${what}`, {
    where: file,
    remedy: "Use another copy of it. GNU tar extracts the intact files: tar -xzf",
    exitCode: ExitCode.verify,
    cause,
  });
