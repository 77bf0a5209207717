import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { ExitCode, OperatorError } from "../errors.js";
import { concurrently } from "../host/concurrently.js";
import type { Digest } from "../registry/digest.js";
import type { References } from "../registry/references.js";
import { isMediaType, mediaTypeOf } from "../registry/references.js";
import type { RegistryApi } from "../registry/registryApi.js";
import { UnexpectedAnswer } from "../registry/registryClient.js";
import type { ProgressMeter } from "../terminal/progress.js";
import { neededBy, referencesOf } from "./backupContent.js";
import type { BackupDirectory } from "./backupDirectory.js";
import type { NamedManifest } from "./ociLayout.js";

/** Blobs, or tags, that are pushed at once. */
const PARALLEL = 4;

/** What was not there yet. */
export interface PushedImages {
  manifests: number;
  blobs: number;
  bytes: number;
}

/** Tags and digests that a registry has already as a backup has them. */
export async function presentImages(
  api: RegistryApi,
  named: readonly NamedManifest[],
): Promise<Set<NamedManifest>> {
  const present = new Set<NamedManifest>();
  await concurrently(named, PARALLEL, async (manifest) => {
    const { repository, tag, digest } = manifest;
    if ((await api.digestOf(repository, tag ?? digest)) === digest) present.add(manifest);
  });
  return present;
}

/**
 * Pushes images: blobs before the manifests that name them, children before their index, tags last. So a
 * registry that runs never shows a tag whose content is not there. Content that the registry already has is
 * not sent again.
 *
 * @throws OperatorError when the registry refuses something; the same images can be pushed again
 */
export async function pushImages(
  api: RegistryApi,
  directory: BackupDirectory,
  named: readonly NamedManifest[],
  meter: ProgressMeter,
): Promise<PushedImages> {
  const push = new Push(api, directory, await referencesOf(directory.blobs, named), meter);
  const groups = new Map<string, NamedManifest[]>();
  for (const manifest of named)
    groups.set(manifest.repository, [...(groups.get(manifest.repository) ?? []), manifest]);
  for (const [repository, manifests] of groups) await push.repository(repository, manifests);
  return push.pushed;
}

class Push {
  readonly pushed: PushedImages = { manifests: 0, blobs: 0, bytes: 0 };
  /** A repository of the target that has it, by blob. */
  private readonly repositories = new Map<Digest, string>();

  constructor(
    private readonly api: RegistryApi,
    private readonly directory: BackupDirectory,
    private readonly references: ReadonlyMap<Digest, References>,
    private readonly meter: ProgressMeter,
  ) {}

  async repository(repository: string, manifests: readonly NamedManifest[]): Promise<void> {
    const needed = neededBy(manifests, this.references);
    await concurrently(needed.blobs.keys(), PARALLEL, (digest) => this.blob(repository, digest));
    const listed = new Set(
      needed.manifests.flatMap((digest) => this.references.get(digest)?.manifests ?? []),
    );
    for (const digest of needed.manifests)
      if (listed.has(digest)) await this.manifest(repository, digest, digest);
    await concurrently(manifests, PARALLEL, ({ tag, digest, mediaType }) =>
      this.manifest(repository, tag ?? digest, digest, mediaType),
    );
  }

  private async blob(repository: string, digest: Digest): Promise<void> {
    const path = this.directory.blobs.path(digest);
    const { size } = await stat(path);
    if ((await this.api.blobSize(repository, digest)) !== size) {
      const read = () => Readable.toWeb(createReadStream(path)) as ReadableStream;
      const isSent = await this.api
        .putBlob(repository, digest, this.repositories.get(digest), read)
        .catch((error: unknown) => {
          throw error instanceof UnexpectedAnswer && error.status === 400 ? damaged(path, error) : error;
        });
      this.pushed.blobs += isSent ? 1 : 0;
      this.pushed.bytes += isSent ? size : 0;
    }
    this.repositories.set(digest, repository);
    this.meter.add(size);
  }

  private async manifest(repository: string, reference: string, digest: Digest, mediaType?: string) {
    const bytes = await this.bytesOf(digest);
    const type = mediaType !== undefined && isMediaType(mediaType) ? mediaType : mediaTypeOf(bytes);
    await this.api.putManifest(repository, reference, { mediaType: type, bytes });
    this.pushed.manifests++;
  }

  private async bytesOf(digest: Digest): Promise<Buffer> {
    const bytes = await this.directory.blobs.small(digest);
    if (bytes === undefined) throw damaged(this.directory.blobs.path(digest));
    return bytes;
  }
}

const damaged = (path: string, cause?: unknown): OperatorError =>
  new OperatorError("does not match its digest, so the backup is damaged", {
    where: path,
    remedy: "Use another copy of the backup. What is damaged in it: hephaestus restore DIRECTORY --dry-run",
    exitCode: ExitCode.verify,
    cause,
  });
