import { concurrently } from "./concurrently.js";
import { subjectOfTag, type TaggedImage } from "./imageFacts.js";
import type { Manifest, RegistryApi } from "./registryApi.js";
import { UnexpectedAnswer } from "./registryClient.js";

/** Requests for the manifests of one repository that run at once. */
const PARALLEL = 8;

export interface RepositoryImages {
  images: TaggedImage[];
  /** Tags that the registry lists and does not give. */
  unreadable: string[];
}

/**
 * All tags of a repository with what they stand for.
 *
 * @throws OperatorError when the registry does not answer
 */
export async function imagesOf(api: RegistryApi, repository: string): Promise<RepositoryImages> {
  const [images, unreadable]: [TaggedImage[], string[]] = [[], []];
  await concurrently(await api.tags(repository), PARALLEL, async (tag) => {
    const manifest = await readable(api, repository, tag);
    if (manifest === "unreadable") unreadable.push(tag);
    else if (manifest) images.push(await imageOf(api, repository, tag, manifest));
  });
  return { images: images.sort((a, b) => (a.tag < b.tag ? -1 : 1)), unreadable: unreadable.sort() };
}

async function imageOf(
  api: RegistryApi,
  repository: string,
  tag: string,
  manifest: Manifest,
): Promise<TaggedImage> {
  const { digest, children } = manifest;
  const subject = manifest.subject ?? subjectOfTag(tag);
  // A referrer is judged by its subject, not by its age.
  const created = subject === undefined ? await createdOf(api, repository, manifest) : undefined;
  return { tag, digest, children, created, subject };
}

/** The newest date of an image and its parts. What cannot be read has none. */
async function createdOf(
  api: RegistryApi,
  repository: string,
  { children, config, created }: Manifest,
): Promise<Date | undefined> {
  if (created) return created;
  const dates: Array<Date | undefined> = [];
  for (const child of children) {
    const manifest = await readable(api, repository, child);
    if (!manifest || manifest === "unreadable") continue;
    dates.push(
      manifest.created ??
        (manifest.config === undefined ? undefined : await api.created(repository, manifest.config)),
    );
  }
  if (config !== undefined) dates.push(await api.created(repository, config));
  const known = dates.filter((date) => date !== undefined).map((date) => date.getTime());
  return known.length > 0 ? new Date(Math.max(...known)) : undefined;
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
    if (error instanceof UnexpectedAnswer && error.status >= 500) return "unreadable";
    throw error;
  }
}
