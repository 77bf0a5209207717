import { z } from "zod";
import { stackName } from "../config/schema/index.js";
import { imageReference } from "../config/text.js";

/** What is in a bundle: an archive that `docker load` reads, with more files in it. Pure. */

export const BUNDLE_VERSION = 1;

/** The description of a bundle, in it. */
export const BUNDLE_FILE = "bundle.json";

/** SHA-256 of each other file, as sha256sum(1) writes and checks them. */
export const SUMS_FILE = "SHA256SUMS";

/**
 * What `docker load` reads: where the parts of each image are, and its names. Source: moby, image/tarexport.
 */
export const MANIFEST_FILE = "manifest.json";
export const manifestSchema = z.array(
  z.object({ Config: z.string(), RepoTags: z.array(z.string()), Layers: z.array(z.string()) }),
);

/** A part of an image lies under its digest. */
export const blobPath = (hex: string): string => `blobs/sha256/${hex}`;

/** Folders of a bundle. */
export const STACK_FOLDER = "stack";
export const PROGRAM_FOLDER = "hephaestus";

/** What starts the program of a bundle: the program file, or the script of the package. */
export const PROGRAM_FILE = `${PROGRAM_FOLDER}/hephaestus`;
export const PROGRAM_SCRIPT = `node ${PROGRAM_FOLDER}/bin/hephaestus.js`;

/** The description of a bundle. Another program may have written it. */
export const factsSchema = z.object({
  version: z.literal(BUNDLE_VERSION),
  /** What wrote it: name and version. */
  tool: z.string(),
  stack: stackName,
  /** os/architecture of the images. */
  platform: z.string().regex(/^\w+\/\w+$/),
  /** Names of the images, as the stack has them. */
  images: z.array(imageReference()),
});

export type BundleFacts = z.infer<typeof factsSchema>;

/** The text of SHA256SUMS. */
export const sumsText = (sums: ReadonlyMap<string, string>): string =>
  [...sums].map(([path, sum]) => `${sum}  ${path}\n`).join("");

/** @returns sums by path; lines of another form are left out */
export const parseSums = (text: string): Map<string, string> =>
  new Map(
    [...text.matchAll(/^([0-9a-f]{64}) {2}(.+)$/gm)].map(([, sum = "", path = ""]) => [path, sum] as const),
  );
