import { z } from "zod";
import { ExitCode, OperatorError } from "../errors.js";
import { readAtMost } from "../host/readAtMost.js";
import { readJson } from "../json.js";
import { digestOf, digestOfStream, hexOf } from "../registry/digest.js";
import type { RenderedFile } from "../render/renderedFile.js";
import {
  BUNDLE_FILE,
  BUNDLE_VERSION,
  type BundleFacts,
  blobPath,
  factsSchema,
  MANIFEST_FILE,
  manifestSchema,
  PROGRAM_FILE,
  PROGRAM_FOLDER,
  PROGRAM_SCRIPT,
  parseSums,
  STACK_FOLDER,
  SUMS_FILE,
} from "./bundleFormat.js";
import { readTar, type TarEntry } from "./tarFile.js";

/** Bytes of a file that is read into the memory: the sums, and the files of the stack. */
const LARGEST_KEPT = 64 * 1024 * 1024;

/** What is beside the parts of the images. */
const OWN = new RegExp(`^(?:${BUNDLE_FILE}|${MANIFEST_FILE}|(?:${STACK_FOLDER}|${PROGRAM_FOLDER})/.*)$`);

export interface ReadBundle {
  facts: BundleFacts;
  /** The files of the stack. */
  files: RenderedFile[];
}

/**
 * Reads a bundle and checks every byte of it.
 *
 * @throws OperatorError if something is missing, changed or unknown; it names the file
 */
export async function readBundle(file: string): Promise<ReadBundle> {
  const { sums, kept } = await readArchive(file);
  const description = kept.get(BUNDLE_FILE);
  if (description === undefined) throw bundleError(file, "is no bundle of hephaestus");
  const listed = kept.get(SUMS_FILE);
  if (listed === undefined) throw bundleError(file, `ends too early: ${SUMS_FILE} is missing`);
  const wanted = parseSums(String(listed));
  sums.delete(SUMS_FILE);
  for (const [path, sum] of wanted) {
    const found = sums.get(path);
    if (found === undefined) throw bundleError(file, `ends too early: ${path} is missing`);
    if (found !== sum) throw bundleError(file, `is damaged: ${path} does not match ${SUMS_FILE}`);
  }
  const unknown = [...sums.keys()].find((path) => !wanted.has(path));
  if (unknown !== undefined) throw bundleError(file, `has a file that is not in ${SUMS_FILE}: ${unknown}`);
  const facts = factsOf(file, description);
  const manifest = readJson(manifestSchema, kept.get(MANIFEST_FILE) ?? Buffer.of());
  if (manifest === undefined) throw bundleError(file, `has no ${MANIFEST_FILE} that can be read`);
  checkImages(file, facts, manifest, sums);
  const files = [...kept]
    .filter(([path]) => path.startsWith(`${STACK_FOLDER}/`))
    .map(([path, content]) => ({ path: path.slice(STACK_FOLDER.length + 1), text: String(content) }));
  return { facts, files };
}

/**
 * `docker load` gives an image every name that the manifest has for it, and takes the digest of a part from
 * its path.
 */
function checkImages(
  file: string,
  facts: BundleFacts,
  manifest: z.infer<typeof manifestSchema>,
  sums: ReadonlyMap<string, string>,
): void {
  const names = manifest.flatMap(({ RepoTags }) => RepoTags);
  if (names.sort().join("\n") !== [...facts.images].sort().join("\n"))
    throw bundleError(file, `has other images than its ${BUNDLE_FILE} names: ${names.join(", ")}`);
  const parts = new Set(manifest.flatMap(({ Config, Layers }) => [Config, ...Layers]));
  const others = [...sums.keys()].filter((path) => !OWN.test(path));
  for (const path of [...parts, ...others])
    if (!parts.has(path) || path !== blobPath(sums.get(path) ?? ""))
      throw bundleError(file, `has ${path}, which is no part of its images`);
}

interface Archive {
  /** SHA-256 of each file. */
  sums: Map<string, string>;
  /** The content of the files that are read here. */
  kept: Map<string, Buffer>;
}

async function readArchive(file: string): Promise<Archive> {
  const archive: Archive = { sums: new Map(), kept: new Map() };
  try {
    for await (const entry of readTar(file)) await readEntry(file, entry, archive);
    return archive;
  } catch (cause) {
    if (cause instanceof OperatorError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    throw bundleError(file, code === "ENOENT" ? "does not exist" : `cannot be read: ${message}`, cause);
  }
}

async function readEntry(file: string, entry: TarEntry, { sums, kept }: Archive): Promise<void> {
  const { name, type, content } = entry;
  if (type !== "file")
    throw bundleError(file, `has ${name}, which is no file but a ${type ?? "thing of unknown type"}`);
  // What is written must not lead out of its folder. Programs read hidden files unasked: git runs what
  // .git/config names.
  if (name.split("/").some((part) => part === "" || part.startsWith(".")))
    throw bundleError(file, `has a path that leads out of it, or is hidden: ${name}`);
  if (sums.has(name)) throw bundleError(file, `has ${name} twice`);
  if (![SUMS_FILE, BUNDLE_FILE, MANIFEST_FILE].includes(name) && !name.startsWith(`${STACK_FOLDER}/`)) {
    sums.set(name, hexOf(await digestOfStream(content)));
    return;
  }
  const bytes = await readAtMost(content, LARGEST_KEPT);
  kept.set(name, bytes);
  sums.set(name, hexOf(digestOf(bytes)));
}

function factsOf(file: string, json: Buffer): BundleFacts {
  const facts = readJson(factsSchema, json);
  if (facts !== undefined) return facts;
  const version = readJson(z.object({ version: z.number() }), json)?.version;
  if (version === undefined || version === BUNDLE_VERSION)
    throw bundleError(file, `has a ${BUNDLE_FILE} that cannot be read`);
  throw new OperatorError(`has the format ${version}, and this program reads ${BUNDLE_VERSION}`, {
    where: file,
    remedy: `Use the program of the bundle: tar -xf FILE ${PROGRAM_FOLDER}, then ${PROGRAM_FILE} or, if that is not there, ${PROGRAM_SCRIPT}`,
    exitCode: ExitCode.verify,
  });
}

const bundleError = (file: string, message: string, cause?: unknown): OperatorError =>
  new OperatorError(message, {
    where: file,
    remedy: "Check the path. Copy it again from where it was made, or make it again: hephaestus bundle",
    exitCode: ExitCode.verify,
    cause,
  });
