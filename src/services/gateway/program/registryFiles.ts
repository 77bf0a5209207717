import hashes from "node:crypto";
import type { Answer } from "./answers.js";
import type { Memory, NginxRequest } from "./nginx.js";
import type { Asked } from "./request.js";

/** What the program uses of nginx's `fs`. */
export interface FileAccess {
  readFileSync(path: string): Buffer;
  readFileSync(path: string, encoding: "utf8"): string;
  realpathSync(path: string): string;
  statSync(path: string): { isFile(): boolean; size: number };
}

/** A layer that nginx sends from its file. */
interface LayerFile {
  digest: string;
  /** Below the folder of all blobs. */
  file: string;
}

/**
 * Reads what a request asks for; undefined for whatever is not the plain case: the registry knows. With
 * `isFresh`, not from memory.
 */
export type ReadFiles = (
  asked: Asked,
  headers: NginxRequest["headersIn"],
  isFresh: boolean,
) => Answer | LayerFile | typeof AGAIN | undefined;

/** The registry is writing a link at this moment: the next look finds it whole. */
export const AGAIN = "again";

/** Below the storage's folder. Source: distribution, registry/storage/paths.go. */
export const REGISTRY_FOLDER = "docker/registry/v2";

const DIGEST = /^sha256:[0-9a-f]{64}$/;
const LINK_BYTES = "sha256:".length + 64;
/** A larger answer would not go into the buffers of its connection at once. The registry has places for such. */
const LARGEST_MANIFEST = 64 * 1024;
/** How long a manifest is remembered. Its digest names its bytes, so it is never out of date. */
const MANIFEST_MS = 3_600_000;
/** How often the program looks whether a symbolic link leads to a file. */
const REAL_MS = 10_000;

/** The media types of manifests that the gateway knows. */
export const MANIFEST_TYPES: ReadonlyMap<unknown, "image" | "index"> = new Map([
  ["application/vnd.oci.image.index.v1+json", "index"],
  ["application/vnd.oci.image.manifest.v1+json", "image"],
  ["application/vnd.docker.distribution.manifest.list.v2+json", "index"],
  ["application/vnd.docker.distribution.manifest.v2+json", "image"],
] as const);

/** What http.headers of the registry's config says, and what the registry adds to everything. */
const EVERY_ANSWER = {
  "Docker-Distribution-Api-Version": "registry/2.0",
  "X-Content-Type-Options": "nosniff",
};

/** Headers that make an answer depend on more than its digest. */
const CONDITIONS = ["If-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range"];

/**
 * Reads manifests and finds layers in the files of the registry, for requests that are permitted. It knows
 * what it is sure of: links that hold one digest, manifests whose bytes have theirs.
 *
 * @param root the folder of the storage, without symbolic links
 * @param memory for manifests whose digest was right
 */
export function filesOf(access: FileAccess, root: string, memory: Memory<string>): ReadFiles {
  const folder = `${root}/${REGISTRY_FOLDER}`;

  /** The size of a file that no symbolic link leads to; undefined where there is none. */
  function sizeOf(path: string): number | undefined {
    if (access.realpathSync(path) !== path) return undefined;
    const found = access.statSync(path);
    return found.isFile() ? found.size : undefined;
  }

  /** The digest that a link of the registry holds. The registry empties a link before it writes it again. */
  function linked(path: string): string | undefined {
    const key = `real ${path}`;
    if (memory.get(key) === undefined) {
      const size = sizeOf(path);
      if (size === undefined || size > LINK_BYTES) return undefined;
      memory.set(key, "1", REAL_MS);
    }
    const text = access.readFileSync(path, "utf8");
    return DIGEST.test(text) ? text : text.length < LINK_BYTES ? AGAIN : undefined;
  }

  const fileOf = (digest: string): string => {
    const hex = digest.slice("sha256:".length);
    return `${hex.slice(0, 2)}/${hex}/data`;
  };

  /** A manifest behind its media type and a newline; undefined where its bytes are not what its digest names. */
  function manifestOf(digest: string, isFresh: boolean): string | undefined {
    const known = isFresh ? undefined : memory.get(digest);
    if (known !== undefined) return known;
    const path = `${folder}/blobs/sha256/${fileOf(digest)}`;
    const size = sizeOf(path);
    if (size === undefined || size === 0 || size > LARGEST_MANIFEST) return undefined;
    const bytes = access.readFileSync(path);
    if (`sha256:${hashes.createHash("sha256").update(bytes).digest("hex")}` !== digest) return undefined;
    const text = bytes.toString();
    const type = typeOf(JSON.parse(text));
    if (type === undefined || !Buffer.from(text).equals(bytes)) return undefined;
    const manifest = `${type}\n${text}`;
    memory.set(digest, manifest, MANIFEST_MS);
    return manifest;
  }

  function manifest(
    { repository, reference }: Asked,
    headers: NginxRequest["headersIn"],
    isFresh: boolean,
  ): Answer | typeof AGAIN | undefined {
    const manifests = `${folder}/repositories/${repository}/_manifests`;
    const digest = reference.includes(":")
      ? reference
      : linked(`${manifests}/tags/${reference}/current/link`);
    if (digest === undefined || digest === AGAIN) return digest;
    const revision = linked(`${manifests}/revisions/sha256/${digest.slice("sha256:".length)}/link`);
    if (revision !== digest) return revision === AGAIN ? AGAIN : undefined;
    const found = manifestOf(digest, isFresh);
    if (found === undefined) return undefined;
    const end = found.indexOf("\n");
    const type = found.slice(0, end);
    if (!accepts(headers.Accept ?? "", type)) return undefined;
    const known = { ...EVERY_ANSWER, "Docker-Content-Digest": digest, ETag: `"${digest}"` };
    return hasAlready(headers, digest)
      ? { status: 304, body: "", headers: EVERY_ANSWER }
      : { status: 200, body: found.slice(end + 1), headers: { "Content-Type": type, ...known } };
  }

  function layer(
    { repository, reference }: Asked,
    headers: NginxRequest["headersIn"],
  ): LayerFile | typeof AGAIN | undefined {
    const hex = reference.slice("sha256:".length);
    const link = linked(`${folder}/repositories/${repository}/_layers/sha256/${hex}/link`);
    if (link !== reference) return link === AGAIN ? AGAIN : undefined;
    const file = fileOf(reference);
    const size = sizeOf(`${folder}/blobs/sha256/${file}`);
    if (size === undefined || size === 0 || !isOneRange(headers.Range, size)) return undefined;
    return hasAlready(headers, reference) ? undefined : { digest: reference, file };
  }

  return (asked, headers, isFresh) => {
    const { kind, reference } = asked;
    if (reference.includes(":") && !DIGEST.test(reference)) return undefined;
    if (CONDITIONS.some((name) => headers[name] !== undefined)) return undefined;
    const tag = headers["If-None-Match"];
    if (tag !== undefined && !DIGEST.test(tag.replace(/^"(.*)"$/, "$1"))) return undefined;
    try {
      if (kind === "manifests") return manifest(asked, headers, isFresh);
      return kind === "blobs" ? layer(asked, headers) : undefined;
    } catch {
      // No such file, one that may not be read, or a manifest that is no JSON.
      return undefined;
    }
  };
}

/**
 * The media type of a manifest, by what it says or by its content; undefined where the two differ. Source:
 * distribution, registry/storage/manifeststore.go.
 */
function typeOf(manifest: Record<string, unknown>): string | undefined {
  const { schemaVersion, mediaType, manifests, config, layers, fsLayers } = manifest;
  const isImage = config !== undefined && layers !== undefined && manifests === undefined;
  const isIndex = Array.isArray(manifests) && config === undefined && layers === undefined;
  const form = isImage ? "image" : isIndex ? "index" : undefined;
  if (schemaVersion !== 2 || fsLayers !== undefined || form === undefined) return undefined;
  if (mediaType === undefined)
    return `application/vnd.oci.image.${form === "image" ? "manifest" : "index"}.v1+json`;
  return MANIFEST_TYPES.get(mediaType) === form ? String(mediaType) : undefined;
}

/** Whether a client names a type. The registry takes no wildcard for it. */
const accepts = (accept: string, type: string): boolean =>
  accept === type || accept.split(",").some((one) => typeIn(one).trim().toLowerCase() === type);

const typeIn = (one: string): string => (one.includes(";") ? one.replace(/; *q=[0-9.]+ *$/, "") : one);

/** Whether a client has what a digest names. The registry takes the digest with and without quotes. */
function hasAlready({ "If-None-Match": tag }: NginxRequest["headersIn"], digest: string): boolean {
  return tag === digest || tag === `"${digest}"`;
}

/** Whether nginx answers a request for a part as the registry does: one part that is there, or all. */
function isOneRange(range: string | undefined, size: number): boolean {
  if (range === undefined || /^bytes=-[1-9][0-9]{0,14}$/.test(range)) return true;
  const [, start, end = ""] = /^bytes=([0-9]{1,15})-([0-9]{0,15})$/.exec(range) ?? [];
  return start !== undefined && Number(start) < size && (end === "" || Number(end) >= Number(start));
}
