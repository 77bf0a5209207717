import { setTimeout as sleep } from "node:timers/promises";
import { concurrently } from "../host/concurrently.js";
import { type Digest, digestOf, isDigest } from "../registry/digest.js";
import { type Content, mediaTypeOf, parseReferences, type References } from "../registry/references.js";
import type { RegistryApi } from "../registry/registryApi.js";
import { UnexpectedAnswer } from "../registry/registryClient.js";
import type { BlobFiles } from "./blobFiles.js";
import type { NamedManifest } from "./ociLayout.js";

/** Tags of a repository that are asked for at once. */
const PARALLEL = 8;
/** How often a tag that moves is read. */
const MOST_READS = 10;
/** Steps from an image to a signature of a signature of it; a registry that goes on makes them up. */
const MOST_STEPS = 100;
/** Until a tag that is being deleted is gone from the list. */
const DELETION_MILLISECONDS = 2000;

/** Everything that the tags of a registry lead to. */
export interface CollectedImages {
  named: NamedManifest[];
  /** What each manifest refers to, by digest. */
  references: Map<Digest, References>;
  /** The blobs that these need, each with a repository that has it. */
  blobs: Map<Digest, Content & { repository: string }>;
  /** Manifests that the registry has and cannot give, as sentences. */
  damage: string[];
}

/**
 * Reads all tags of a registry, the manifests that they lead to, and the manifests that refer to these.
 * Manifests are written to the backup at once; those that it has already are read from there.
 */
export async function collectImages(
  api: RegistryApi,
  files: BlobFiles,
  onRepository: (name: string) => void,
): Promise<CollectedImages> {
  const walk = new Walk(api, files);
  for (const repository of await api.repositories()) {
    onRepository(repository);
    const tags = await api.tags(repository);
    await concurrently(tags, PARALLEL, (tag) => walk.tag(repository, tag));
    await walk.requireAll(repository, tags);
  }
  walk.found.named.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  return walk.found;
}

const nameOf = ({ repository, tag, digest }: Pick<NamedManifest, "repository" | "tag" | "digest">): string =>
  `${repository}:${tag ?? digest}`;

class Walk {
  readonly found: CollectedImages = { named: [], references: new Map(), blobs: new Map(), damage: [] };
  /** Whether the registry has the referrers API; known after the first question. */
  private hasReferrers = true;
  /** What is in the list of names already, as repository@digest. */
  private readonly listed = new Set<string>();
  /** What became of each tag that was read, and of each manifest that is damaged: repository:reference. */
  private readonly settled = new Set<string>();

  constructor(
    private readonly api: RegistryApi,
    private readonly files: BlobFiles,
  ) {}

  /** Reads a tag. One that is moved or deleted in the meantime is not damaged: it is read again. */
  async tag(repository: string, tag: string): Promise<void> {
    let last: Digest | undefined;
    for (let reads = 1; ; reads++) {
      const manifest = await this.manifest(repository, tag);
      if (manifest === undefined) return;
      const { digest } = manifest;
      if ((await this.below(repository, digest)) || digest === last || reads === MOST_READS) {
        this.name({ repository, tag, ...manifest });
        return this.referrers(repository, digest);
      }
      last = digest;
    }
  }

  /**
   * Names tags that the registry goes on listing and does not have: their manifest or its link is gone.
   */
  async requireAll(repository: string, tags: readonly string[]): Promise<void> {
    const missing = (wanted: readonly string[]): string[] =>
      wanted.filter((tag) => !this.settled.has(`${repository}:${tag}`));
    if (missing(tags).length === 0) return;
    // A deletion removes the manifest first, and its tags a moment later.
    await sleep(DELETION_MILLISECONDS);
    const listed = new Set(await this.api.tags(repository));
    const lost = missing(tags).filter((tag) => listed.has(tag));
    await concurrently(lost, PARALLEL, (tag) => this.tag(repository, tag));
    for (const tag of missing(lost))
      this.damaged(`${repository}:${tag}`, " is listed, and the registry does not have it");
  }

  private name(manifest: NamedManifest): void {
    this.found.named.push(manifest);
    this.listed.add(`${manifest.repository}@${manifest.digest}`);
    this.settled.add(nameOf(manifest));
  }

  /** @param fault what follows its name in the sentence */
  private damaged(name: string, fault: string): void {
    this.found.damage.push(`${name}${fault}`);
    this.settled.add(name);
  }

  /**
   * Reads what an index lists, and what that lists in turn, each once.
   *
   * @returns whether all of it is there
   */
  private async below(repository: string, digest: Digest): Promise<boolean> {
    const { references } = this.found;
    const seen = new Set([digest]);
    let isWhole = true;
    // A set gives what is added to it meanwhile.
    for (const index of seen)
      for (const child of references.get(index)?.manifests ?? []) {
        if (seen.has(child)) continue;
        seen.add(child);
        if (!references.has(child) && (await this.manifest(repository, child)) === undefined) isWhole = false;
      }
    return isWhole;
  }

  /** Reads what refers to a manifest, and what refers to that in turn, each once. */
  private async referrers(repository: string, digest: Digest): Promise<void> {
    let subjects = [digest];
    for (let steps = 1; subjects.length > 0; steps++) {
      const found: Digest[] = [];
      for (const subject of subjects) found.push(...(await this.referrersOf(repository, subject)));
      const fresh = [...new Set(found)].filter((referrer) => !this.listed.has(`${repository}@${referrer}`));
      if (fresh.length > 0 && steps > MOST_STEPS) {
        this.damaged(`${repository}@${digest}`, ` is referred to in more than ${MOST_STEPS} steps`);
        return;
      }
      subjects = [];
      for (const referrer of fresh) {
        const manifest = await this.manifest(repository, referrer);
        if (manifest === undefined) continue;
        await this.below(repository, referrer);
        this.name({ repository, tag: undefined, ...manifest });
        subjects.push(referrer);
      }
    }
  }

  private async referrersOf(repository: string, digest: Digest): Promise<Digest[]> {
    if (!this.hasReferrers) return [];
    const found = await this.given(`what refers to ${repository}@${digest}`, () =>
      this.api.referrers(repository, digest),
    );
    if (found === undefined) this.hasReferrers = false;
    return found ?? [];
  }

  /** Reads a manifest, from the backup where it is known by its digest. */
  private async manifest(
    repository: string,
    reference: string,
  ): Promise<Omit<NamedManifest, "repository" | "tag"> | undefined> {
    const held = isDigest(reference) ? await this.files.small(reference) : undefined;
    const raw = held
      ? { digest: reference as Digest, mediaType: mediaTypeOf(held), bytes: held }
      : await this.given(`${repository}:${reference}`, () => this.api.rawManifest(repository, reference));
    if (!raw) return undefined;
    const { digest, mediaType, bytes } = raw;
    const references = parseReferences(bytes);
    const isRight = digestOf(bytes) === digest && (!isDigest(reference) || reference === digest);
    if (references === undefined || !isRight) {
      const fault = isRight
        ? "is no manifest, or has a digest or size that is none"
        : "does not match its digest";
      this.damaged(`${repository}:${reference}`, `: ${digest} ${fault}`);
      return undefined;
    }
    if (!held) await this.files.put(digest, bytes);
    this.found.references.set(digest, references);
    for (const blob of references.blobs) this.found.blobs.set(blob.digest, { ...blob, repository });
    return { digest, mediaType, size: bytes.length };
  }

  /** @returns null where the registry has it and cannot give it: that is damage */
  private async given<T>(what: string, ask: () => Promise<T>): Promise<T | null> {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof UnexpectedAnswer) || !error.isFault) throw error;
      this.damaged(what, ` cannot be read (${error.status >= 500 ? error.status : error.message})`);
      return null;
    }
  }
}
