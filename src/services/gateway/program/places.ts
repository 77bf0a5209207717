import type { RightsOf } from "../../../access/repositoryRules.js";
import { type Person, permits } from "./person.js";
import { type Asked, isDigest, isRepository, parameters, queryText } from "./request.js";

/** The named locations of nginx.conf, by what they do. */
export type Place =
  | "@files"
  | "@reads"
  | "@manifests"
  | "@digests"
  | "@layers"
  | "@lists"
  | "@writes"
  | "@immutable";

/**
 * Where a read goes.
 *
 * @param isFresh whether nothing that is remembered answers it
 */
export function placeOfRead({ kind, reference }: Asked, isFresh: boolean, keepsDigests: boolean): Place {
  switch (kind) {
    case "manifests":
      return isDigest(reference) && keepsDigests && !isFresh ? "@digests" : "@manifests";
    case "blobs":
      return isFresh ? "@lists" : "@layers";
    default:
      return "@lists";
  }
}

/** The address that the registry hears: what was judged, and nothing else. */
export function sentAddress(asked: Asked, method: string, person: Person, rightsOf: RightsOf): string {
  const { kind, path, query } = asked;
  if (query === "" || kind === "manifests" || kind === "blobs") return path;
  if (kind !== "uploads" || method !== "POST") return `${path}?${query}`;
  // A layer of another repository is taken over by its name alone: where the user may not pull there, the
  // query is left out, and the client uploads the layer.
  const found = parameters(query);
  const from = found?.get("from");
  const mayTake =
    from === undefined ||
    (isRepository(from) && permits(person, { operation: "pull", repository: from }, rightsOf, []));
  return found === undefined || !mayTake ? path : `${path}?${queryText(found)}`;
}

/**
 * What an answer to a manifest depends on. The header itself has any number of forms, and each would be kept.
 *
 * @param accept the header
 */
export function acceptedTypes(accept: string): string {
  const of = (type: string) => accept.toLowerCase().includes(`oci.image.${type}.v1+json`);
  return ["manifest", "index"].filter(of).join(" ");
}
