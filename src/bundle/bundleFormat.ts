/** What is in a bundle: pure. A bundle is an archive that `docker load` and skopeo's oci-archive read, with more in it. */

export const BUNDLE_VERSION = 1;

/** The description of a bundle, in it. */
export const BUNDLE_FILE = "bundle.json";

/** SHA-256 of each other file, as sha256sum(1) writes and checks them. */
export const SUMS_FILE = "SHA256SUMS";

/** Folders of a bundle. */
export const STACK_FOLDER = "stack";
export const PROGRAM_FOLDER = "hephaestus";

/** An image of a bundle. */
export interface BundledImage {
  /** As the stack names it. */
  name: string;
  /** The digest of its manifest in the bundle. */
  digest: string;
  /** The digest of its config: what Docker calls the image's ID. */
  config: string;
  platform: string;
  /** Where it came from: a registry, with the digest that the name stands for there, or an engine. */
  source: { registry: string; digest: string } | { engine: true };
}

export interface BundleFacts {
  version: typeof BUNDLE_VERSION;
  /** What wrote it: name and version. */
  tool: string;
  stack: string;
  images: BundledImage[];
}

/** The text of SHA256SUMS. */
export const sumsText = (sums: ReadonlyMap<string, string>): string =>
  [...sums].map(([path, sum]) => `${sum}  ${path}\n`).join("");

/** @returns sums by path; lines that are none are left out */
export const parseSums = (text: string): Map<string, string> =>
  new Map(
    text
      .split("\n")
      .map((line) => /^([0-9a-f]{64}) {2}(.+)$/.exec(line))
      .filter((match) => match !== null)
      .map(([, sum = "", path = ""]) => [path, sum]),
  );

/** What `docker load` reads: where the parts of each image are. Source: moby, image/tarexport. */
export interface SavedImage {
  Config: string;
  RepoTags: string[] | null;
  Layers: string[];
}
