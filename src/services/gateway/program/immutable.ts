import { isImmutable, type RepositoryRule } from "../../../access/repositoryRules.js";
import { type Answer, denied } from "./answers.js";
import type { Reply } from "./nginx.js";
import { type Asked, isDigest } from "./request.js";

/** Asks the registry for a path. */
export type Ask = (method: "GET" | "HEAD", path: string) => Promise<Reply>;

export const tagIsImmutable = ({ reference, repository }: Pick<Asked, "reference" | "repository">): Answer =>
  denied(`the tag ${reference} of ${repository} is immutable`);

/**
 * A deletion in a repository with immutable tags. With a digest the registry removes all of its tags.
 *
 * @returns why it is refused
 */
export async function whyKept(rule: RepositoryRule, asked: Asked, ask: Ask): Promise<Answer | undefined> {
  const { kind, repository, reference } = asked;
  const isNeeded = denied(`an immutable tag of ${repository} needs this`);
  if (kind === "blobs") return isNeeded;
  if (!isDigest(reference)) return isImmutable(rule, reference) ? tagIsImmutable(asked) : undefined;
  const { status, responseText } = await ask("GET", `/v2/${repository}/tags/list`);
  if (status === 404) return undefined;
  if (status !== 200) throw new Error(`${repository}: ${status}`);
  const { tags } = JSON.parse(responseText ?? "") as { tags?: string[] | null };
  const kept = (tags ?? []).filter((tag) => isImmutable(rule, tag));
  return (await leadTo(repository, kept, reference, ask)) ? isNeeded : undefined;
}

/**
 * Whether some tags name a manifest, or lead to it by lists. What is listed counts though it is not there.
 * Each is read once, however they list each other.
 */
async function leadTo(
  repository: string,
  tags: readonly string[],
  digest: string,
  ask: Ask,
): Promise<boolean> {
  const waiting = [...tags];
  const seen = new Set<string | undefined>();
  for (let reference = waiting.pop(); reference !== undefined; reference = waiting.pop()) {
    const reply = await ask("GET", `/v2/${repository}/manifests/${reference}`);
    if (reply.status === 404) continue;
    if (reply.status !== 200) throw new Error(`${repository}: ${reply.status}`);
    const own = reply.headersOut["Docker-Content-Digest"];
    const { manifests } = JSON.parse(reply.responseText ?? "") as { manifests?: { digest: string }[] | null };
    const children = (manifests ?? []).map((child) => child.digest);
    if (own === digest || children.includes(digest)) return true;
    seen.add(own);
    for (const child of children) {
      if (!/^sha256:[0-9a-f]{64}$/.test(child))
        throw new Error(`${repository}: ${reference} lists what has no digest`);
      if (!seen.has(child)) waiting.push(child);
      seen.add(child);
    }
  }
  return false;
}
