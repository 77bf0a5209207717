import { z } from "zod";
import { stackName } from "../config/schema/index.js";
import { imageReference } from "../config/text.js";
import { digestSchema } from "../registry/digest.js";

/** What is in a bundle: pure. A bundle is an archive that `docker load` and skopeo's oci-archive read, with more in it. */

export const BUNDLE_VERSION = 1;

/** The description of a bundle, in it. */
export const BUNDLE_FILE = "bundle.json";

/** SHA-256 of each other file, as sha256sum(1) writes and checks them. */
export const SUMS_FILE = "SHA256SUMS";

/** Folders of a bundle. */
export const STACK_FOLDER = "stack";
export const PROGRAM_FOLDER = "hephaestus";

const imageSchema = z.object({
  /** As the stack names it. */
  name: imageReference(),
  /** The digest of its manifest in the bundle. */
  digest: digestSchema,
  /** The digest of its config: what Docker calls the image's ID. */
  config: digestSchema,
  platform: z.string().regex(/^[\w.-]+(?:\/[\w.-]+)+$/),
  /** Where it came from: a registry, with the digest that the name stands for there, or an engine. */
  source: z.union([
    z.object({ registry: z.string(), digest: digestSchema }),
    z.object({ engine: z.literal(true) }),
  ]),
});

/** The description of a bundle. Another program may have written it. */
export const factsSchema = z.object({
  version: z.literal(BUNDLE_VERSION),
  /** What wrote it: name and version. */
  tool: z.string(),
  stack: stackName,
  images: z.array(imageSchema),
});

/** An image of a bundle. */
export type BundledImage = z.infer<typeof imageSchema>;
export type BundleFacts = z.infer<typeof factsSchema>;

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
export const savedSchema = z.array(
  z.object({ Config: z.string(), RepoTags: z.array(z.string()).nullable(), Layers: z.array(z.string()) }),
);
export type SavedImage = z.infer<typeof savedSchema>[number];
