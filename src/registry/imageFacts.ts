import type { Digest } from "./digest.js";

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

/** Tags of what refers to an image: those of cosign (.sig, .att, .sbom) and of the distribution specification's fallback. */
const REFERRER_TAG = /^sha256-([0-9a-f]{64})(?:\..+)?$/;

/** The digest that a tag's name refers to; undefined where the tag is one of an image. */
export function subjectOfTag(tag: string): Digest | undefined {
  const hex = REFERRER_TAG.exec(tag)?.[1];
  return hex === undefined ? undefined : (`sha256:${hex}` as Digest);
}

/** Before this day there was no container registry, so an earlier date is none: reproducible builds write 1970 or 1980. */
const FIRST_REGISTRY = Date.UTC(2013, 0, 1);

/** The date that an image claims to be built at; undefined where the text is no date that can be true. */
export function buildDate(text: unknown): Date | undefined {
  const date = new Date(typeof text === "string" ? text : "");
  return date.getTime() >= FIRST_REGISTRY ? date : undefined;
}
