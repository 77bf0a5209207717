import { concurrently } from "../registry/concurrently.js";
import { digestOf } from "../registry/digest.js";
import { mediaTypeOf } from "../registry/mediaTypes.js";
import { type Content, parseReferences, type References } from "../registry/references.js";
import type { RegistryApi } from "../registry/registryApi.js";
import { UnexpectedAnswer } from "../registry/registryClient.js";
import type { BlobFiles } from "./blobFiles.js";
import type { NamedManifest } from "./ociLayout.js";

/** Tags of a repository that are asked for at once. */
const PARALLEL = 8;

/** Everything that the tags of a registry lead to. */
export interface CollectedImages {
  named: NamedManifest[];
  /** What each manifest refers to, by digest. */
  references: Map<string, References>;
  /** The blobs that these need, each with a repository that has it. */
  blobs: Map<string, Content & { repository: string }>;
  /** Manifests that the registry has and cannot give, as sentences. */
  damage: string[];
}

/**
 * Reads all tags of a registry, the manifests that they lead to, and the manifests that refer to these. Manifests are written
 * to the backup at once; those that it has already are read from there.
 */
export async function collectImages(
  api: RegistryApi,
  files: BlobFiles,
  onRepository: (name: string) => void,
): Promise<CollectedImages> {
  const walk = new Walk(api, files);
  for (const repository of await api.repositories()) {
    onRepository(repository);
    await concurrently(await api.tags(repository), PARALLEL, (tag) => walk.tag(repository, tag));
  }
  walk.found.named.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  return walk.found;
}

const nameOf = ({ repository, tag, digest }: NamedManifest): string => `${repository}:${tag ?? digest}`;

class Walk {
  readonly found: CollectedImages = { named: [], references: new Map(), blobs: new Map(), damage: [] };
  /** Whether the registry has the referrers API; known after the first question. */
  private hasReferrers = true;

  constructor(
    private readonly api: RegistryApi,
    private readonly files: BlobFiles,
  ) {}

  /** Reads a tag. One that is moved or deleted in the meantime is not damaged: it is read again. */
  async tag(repository: string, tag: string): Promise<void> {
    for (let last = ""; ; ) {
      const manifest = await this.manifest(repository, tag);
      if (manifest === undefined) return;
      const { digest } = manifest;
      if ((await this.below(repository, digest)) || digest === last) {
        this.found.named.push({ repository, tag, ...manifest });
        return this.referrers(repository, digest);
      }
      last = digest;
    }
  }

  /** @returns whether every manifest below this one is there */
  private async below(repository: string, digest: string): Promise<boolean> {
    let isWhole = true;
    for (const child of this.found.references.get(digest)?.manifests ?? []) {
      const isThere = (await this.manifest(repository, child)) !== undefined;
      if (!isThere || !(await this.below(repository, child))) isWhole = false;
    }
    return isWhole;
  }

  private async referrers(repository: string, digest: string): Promise<void> {
    if (!this.hasReferrers) return;
    const found = await this.api.referrers(repository, digest);
    this.hasReferrers = found !== undefined;
    for (const { digest: referrer } of found ?? []) {
      const isKnown = this.found.named.some(
        (other) => other.repository === repository && other.digest === referrer,
      );
      const manifest = isKnown ? undefined : await this.manifest(repository, referrer);
      if (manifest === undefined) continue;
      await this.below(repository, referrer);
      this.found.named.push({ repository, tag: undefined, ...manifest });
      await this.referrers(repository, referrer);
    }
  }

  /** Reads a manifest, from the backup where it is known by its digest. */
  private async manifest(
    repository: string,
    reference: string,
  ): Promise<Omit<NamedManifest, "repository" | "tag"> | undefined> {
    const held = reference.startsWith("sha256:") ? await this.files.small(reference) : undefined;
    const raw = held
      ? { digest: reference, mediaType: mediaTypeOf(held), bytes: held }
      : await this.fetched(repository, reference);
    if (raw === undefined) return undefined;
    const { digest, mediaType, bytes } = raw;
    const references = parseReferences(bytes);
    if (references === undefined || digestOf(bytes) !== digest) {
      const fault = references ? "does not match its digest" : "is no manifest";
      this.found.damage.push(
        `${nameOf({ repository, tag: reference, ...raw, size: 0 })}: ${digest} ${fault}`,
      );
      return undefined;
    }
    if (!held) await this.files.put(digest, bytes);
    this.found.references.set(digest, references);
    for (const blob of references.blobs) this.found.blobs.set(blob.digest, { ...blob, repository });
    return { digest, mediaType, size: bytes.length };
  }

  private async fetched(repository: string, reference: string) {
    try {
      return await this.api.rawManifest(repository, reference);
    } catch (error) {
      if (!(error instanceof UnexpectedAnswer) || error.status < 500) throw error;
      this.found.damage.push(`${repository}:${reference} cannot be read (${error.status})`);
      return undefined;
    }
  }
}
