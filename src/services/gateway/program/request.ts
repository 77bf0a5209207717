import { REPOSITORY_NAME, TAG_NAME } from "../../../access/glob.js";

/** What a path is about. */
type Kind = "manifests" | "blobs" | "uploads" | "tags" | "referrers" | "catalog" | "login";

/** What a request asks for. */
export interface Asked {
  kind: Kind;
  /** Whether it only reads. The state of an upload belongs to whoever writes it, so it does not. */
  reads: boolean;
  operation: "pull" | "push" | "delete" | "catalog" | "login" | "other";
  /** Empty where the path is about none. */
  repository: string;
  /** A tag, a digest, or the id of an upload. */
  reference: string;
  /** The path as the registry hears it. */
  path: string;
  /** The query behind the question mark, as it was sent. */
  query: string;
}

/** The longest name that a registry takes. Source: distribution/reference, NameTotalLengthMax. */
const LONGEST_NAME = 255;
const NAME = new RegExp(`^${REPOSITORY_NAME}$`);
const TAG = new RegExp(`^${TAG_NAME}$`);
/** Source: OCI image specification 1.1, "Digests", and opencontainers/go-digest for sha384. */
const DIGEST = /^(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})$/;
/** The registry gives uploads a UUID. It fails at what its storage takes for no path. */
const UPLOAD = /^[A-Za-z0-9-]*$/;

/** Whether a text is the name of a repository, in its one spelling. */
export const isRepository = (name: string): boolean => name.length <= LONGEST_NAME && NAME.test(name);
export const isRead = (method: string): boolean => method === "GET" || method === "HEAD";
export const isDigest = (reference: string): boolean => DIGEST.test(reference);

/** An address as it was sent: what stands before the question mark, and what behind it. */
export interface Written {
  path: string;
  query: string;
}

export function splitQuery(uri: string): Written {
  const at = uri.indexOf("?");
  return at < 0 ? { path: uri, query: "" } : { path: uri.slice(0, at), query: uri.slice(at + 1) };
}

/**
 * The one reader of paths. A path that is written in another way than the specification has it names nothing:
 * so the registry never reads another repository in it than the one that was judged. Source: OCI distribution
 * specification 1.1, "Endpoints".
 *
 * @param method of the request
 */
export function parse(method: string, { path, query }: Written): Asked | undefined {
  // nginx ends the address at a #, the registry does not. In a path it is part of no name. A NUL is part of
  // nothing that a registry knows, and lets it fail.
  if (query.includes("#") || query.includes("%00")) return undefined;
  const reads = isRead(method);
  const about = (what: "login" | "catalog"): Asked => ({
    kind: what,
    reads,
    operation: reads ? what : "other",
    repository: "",
    reference: "",
    path,
    query,
  });
  if (path === "/v2/") return about("login");
  if (path === "/v2/_catalog") return about("catalog");
  if (!path.startsWith("/v2/")) return undefined;
  const place = placeOf(path.slice("/v2/".length).split("/"));
  if (place === undefined) return undefined;
  const { kind, repository, reference, end } = place;
  if (!isRepository(repository)) return undefined;
  return {
    kind,
    reads: reads && kind !== "uploads",
    operation: operationOf(method, kind),
    repository,
    reference,
    path: `/v2/${repository}/${end}`,
    query,
  };
}

/**
 * The end of a path decides: a component of a repository's name may be `blobs`, `uploads`, `tags` and the
 * like.
 */
function placeOf(parts: readonly string[]) {
  const last = parts.at(-1) ?? "";
  const before = parts.at(-2) ?? "";
  if (before === "uploads" && parts.at(-3) === "blobs" && UPLOAD.test(last))
    return {
      kind: before,
      repository: parts.slice(0, -3).join("/"),
      reference: last,
      end: `blobs/uploads/${last}`,
    } as const;
  const repository = parts.slice(0, -2).join("/");
  if (before === "tags" && last === "list")
    return { kind: before, repository, reference: "", end: "tags/list" } as const;
  if (before !== "manifests" && before !== "blobs" && before !== "referrers") return undefined;
  // Clients may encode the colon of a digest.
  const reference = last.replace(/%3a/i, ":");
  if (!isDigest(reference) && !(before === "manifests" && TAG.test(reference))) return undefined;
  return { kind: before, repository, reference, end: `${before}/${reference}` } as const;
}

/**
 * What is no reading of a known kind needs the right to push: an upload in any step, and methods that do
 * nothing.
 */
function operationOf(method: string, kind: Kind): "pull" | "push" | "delete" {
  if (kind === "uploads") return "push";
  if (isRead(method)) return "pull";
  return method === "DELETE" && (kind === "manifests" || kind === "blobs") ? "delete" : "push";
}

/**
 * The parameters of a query as the registry reads them; undefined where it is not clear how it does: a
 * parameter that stands there twice, a semicolon, a broken escape.
 */
export function parameters(query: string): ReadonlyMap<string, string> | undefined {
  const found = new Map<string, string>();
  for (const pair of query === "" ? [] : query.split("&")) {
    const at = pair.indexOf("=");
    const key = decoded(at < 0 ? pair : pair.slice(0, at));
    const value = at < 0 ? "" : decoded(pair.slice(at + 1));
    if (key === undefined || value === undefined || pair.includes(";") || found.has(key)) return undefined;
    found.set(key, value);
  }
  return found;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return undefined;
  }
}

/** Parameters as a query. */
export const queryText = (found: ReadonlyMap<string, string>): string =>
  [...found].map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`).join("&");
