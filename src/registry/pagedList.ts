import { z } from "zod";
import { REPOSITORY_NAME, TAG_NAME } from "../access/glob.js";
import { type Digest, digestSchema } from "./digest.js";
import type { RegistryClient } from "./registryClient.js";

/**
 * Lists of a registry. Source: OCI distribution specification 1.1, "Listing Tags" and "Listing Referrers".
 */

/** Names that are asked for on one page. */
export const PAGE = 100;
/** Pages of one list that are read; one with more has no end. */
const MOST_PAGES = 10_000;
/** Bytes of a page: some registries give all names at once. */
const LARGEST_PAGE = 64 * 1024 * 1024;

const namesOf = (pattern: string) =>
  z.array(z.string().regex(new RegExp(`^${pattern}$`), "no registry takes this name")).nullish();

/** What a page of each list holds. */
export const catalogPage: z.ZodType<string[]> = z
  .object({ repositories: namesOf(REPOSITORY_NAME) })
  .transform(({ repositories }) => repositories ?? []);
export const tagsPage: z.ZodType<string[]> = z
  .object({ tags: namesOf(TAG_NAME) })
  .transform(({ tags }) => tags ?? []);
export const referrersPage: z.ZodType<Digest[]> = z
  .object({ manifests: z.array(z.object({ digest: digestSchema })).nullish() })
  .transform(({ manifests }) => (manifests ?? []).map(({ digest }) => digest));

/**
 * Reads a list in pages, each naming the next in its Link header (RFC 8288).
 *
 * @param begun the answer for the first page, where it was asked for already
 * @returns what is on all of them; nothing where there is no such list
 * @throws UnexpectedAnswer where it is no list, or has no end
 */
export async function readPages<T>(
  client: RegistryClient,
  first: string,
  schema: z.ZodType<T[]>,
  begun?: Response,
): Promise<T[]> {
  let items: T[] = [];
  const read = new Set<string>();
  for (let path = first; read.size < MOST_PAGES && !read.has(path); ) {
    const response = (path === first ? begun : undefined) ?? (await client.request("GET", path));
    if (response.status === 404) return items;
    const { headers } = client.expectOk(response, path);
    items = items.concat(await client.document(response, path, schema, LARGEST_PAGE));
    read.add(path);
    const next = /<([^>]+)>\s*;\s*rel="?next/.exec(headers.get("link") ?? "")?.[1];
    if (next === undefined) return items;
    const target = new URL(next, client.url);
    path = `${target.pathname}${target.search}`;
  }
  throw client.malformed(200, first, "a list without an end");
}
