import { concurrently } from "../host/concurrently.js";
import type { Digest } from "../registry/digest.js";
import type { Manifest, RegistryApi } from "../registry/registryApi.js";
import { UnexpectedAnswer } from "../registry/registryClient.js";

/** Requests for the manifests of one repository that run at once. */
const PARALLEL = 8;

/** A tag of a repository, as far as retention judges it. */
export interface TaggedImage {
  tag: string;
  digest: Digest;
  /** Digests of everything that an index holds, by its indexes too. */
  children: readonly Digest[];
  /** When it was built; undefined if that is unknown, and then it is never old. */
  created: Date | undefined;
  /** The manifest that this one refers to: it is a signature, an attestation or an SBOM, and no version. */
  subject?: Digest | undefined;
}

/**
 * Tags of what refers to an image: those of cosign (.sig, .att, .sbom) and of the distribution
 * specification's fallback.
 */
const REFERRER_TAG = /^sha256-([0-9a-f]{64})(?:\..+)?$/;

/** The digest that a tag's name refers to; undefined where the tag is one of an image. */
export function subjectOfTag(tag: string): Digest | undefined {
  const hex = REFERRER_TAG.exec(tag)?.[1];
  return hex === undefined ? undefined : (`sha256:${hex}` as Digest);
}

export interface RepositoryImages {
  images: TaggedImage[];
  /** Tags that the registry lists and does not give, or not with all that they hold. */
  unreadable: string[];
}

/**
 * All tags of a repository with what they stand for. However they list each other, each manifest and each
 * config is read once.
 *
 * @throws OperatorError when the registry does not answer
 */
export async function imagesOf(api: RegistryApi, repository: string): Promise<RepositoryImages> {
  const [images, unreadable]: [TaggedImage[], string[]] = [[], []];
  const read = (reference: string) => readable(api, repository, reference);
  const part = once(read);
  const builtAt = once((config: Digest) => api.created(repository, config));
  await concurrently(await api.tags(repository), PARALLEL, async (tag) => {
    const manifest = await read(tag);
    if (manifest === undefined) return;
    const parts = manifest === "unreadable" ? manifest : await partsOf(manifest, part);
    if (manifest === "unreadable" || parts === "unreadable") {
      unreadable.push(tag);
      return;
    }
    const subject = manifest.subject ?? subjectOfTag(tag);
    // A referrer is judged by its subject, not by its age.
    const created = subject === undefined ? await createdOf(manifest, parts.values(), builtAt) : undefined;
    images.push({ tag, digest: manifest.digest, children: [...parts.keys()], created, subject });
  });
  return { images: images.sort((a, b) => (a.tag < b.tag ? -1 : 1)), unreadable: unreadable.sort() };
}

/** Asks once for each key. */
function once<K, V>(ask: (key: K) => Promise<V>): (key: K) => Promise<V> {
  const known = new Map<K, Promise<V>>();
  return (key) => {
    const answer = known.get(key) ?? ask(key);
    known.set(key, answer);
    return answer;
  };
}

/**
 * Everything that an index holds, those that its indexes hold included; undefined stands for what is not
 * there.
 */
async function partsOf(
  index: Manifest,
  read: (digest: Digest) => Promise<Manifest | undefined | "unreadable">,
): Promise<Map<Digest, Manifest | undefined> | "unreadable"> {
  const parts = new Map<Digest, Manifest | undefined>();
  const waiting = [...index.children];
  for (let digest = waiting.pop(); digest !== undefined; digest = waiting.pop()) {
    if (parts.has(digest)) continue;
    const part = await read(digest);
    if (part === "unreadable") return part;
    parts.set(digest, part);
    for (const child of part?.children ?? []) waiting.push(child);
  }
  return parts;
}

/** The newest date of an image and its parts. What does not say has none. */
async function createdOf(
  image: Manifest,
  parts: Iterable<Manifest | undefined>,
  builtAt: (config: Digest) => Promise<Date | undefined>,
): Promise<Date | undefined> {
  if (image.created) return image.created;
  let newest: Date | undefined;
  for (const part of [image, ...parts]) {
    const date = part?.created ?? (part?.config && (await builtAt(part.config)));
    if (date && (newest === undefined || date > newest)) newest = date;
  }
  return newest;
}

/** @returns undefined where it is not there (any more) */
async function readable(
  api: RegistryApi,
  repository: string,
  reference: string,
): Promise<Manifest | undefined | "unreadable"> {
  try {
    return await api.manifest(repository, reference);
  } catch (error) {
    if (error instanceof UnexpectedAnswer && error.isFault) return "unreadable";
    throw error;
  }
}
