import { z } from "zod";
import { ExitCode, OperatorError } from "../errors.js";
import { readAtMost } from "../host/readAtMost.js";
import { digestOf, digestOfStream } from "../registry/digest.js";
import { readJson } from "../registry/readJson.js";
import type { RenderedFile } from "../render/renderedFile.js";
import {
  BUNDLE_FILE,
  BUNDLE_VERSION,
  type BundleFacts,
  factsSchema,
  parseSums,
  STACK_FOLDER,
  SUMS_FILE,
} from "./bundleFormat.js";
import { visitTar } from "./tarFile.js";

/** Bytes of a file that is read into the memory: the sums, and the files of the stack. */
const LARGEST_KEPT = 64 * 1024 * 1024;

export interface ReadBundle {
  facts: BundleFacts;
  /** The files of the stack. */
  files: RenderedFile[];
}

/**
 * Reads a bundle and checks every byte of it.
 *
 * @throws OperatorError where something is missing, changed or unknown; it names the file
 */
export async function readBundle(file: string): Promise<ReadBundle> {
  let sums: Map<string, string> | undefined;
  let facts: BundleFacts | undefined;
  const files: RenderedFile[] = [];
  await visitTar(file, async (path, content) => {
    if (path === SUMS_FILE && sums === undefined) {
      sums = parseSums(String(await readAtMost(content, LARGEST_KEPT)));
      return;
    }
    if (sums === undefined) throw refuse(file, "is no bundle of hephaestus");
    const wanted = sums.get(path);
    if (wanted === undefined) throw refuse(file, `has a file that is not in ${SUMS_FILE}: ${path}`);
    // What is written must not lead out of its folder.
    if (path.split("/").some((part) => part === ".." || part === "." || part === ""))
      throw refuse(file, `has a path that leads out of it: ${path}`);
    const isKept = path === BUNDLE_FILE || path.startsWith(`${STACK_FOLDER}/`);
    const kept = isKept ? await readAtMost(content, LARGEST_KEPT) : undefined;
    const sum = kept ? digestOf(kept) : await digestOfStream(content);
    if (sum !== `sha256:${wanted}`) throw refuse(file, `is damaged: ${path} does not match ${SUMS_FILE}`);
    sums.delete(path);
    if (path === BUNDLE_FILE) facts = factsOf(file, kept ?? Buffer.of());
    else if (kept) files.push({ path: path.slice(STACK_FOLDER.length + 1), text: String(kept) });
  });
  if (sums === undefined) throw refuse(file, "is no bundle of hephaestus");
  const [missing] = sums.keys();
  if (missing !== undefined) throw refuse(file, `ends too early: ${missing} is missing`);
  if (facts === undefined) throw refuse(file, `has no ${BUNDLE_FILE}`);
  return { facts, files };
}

function factsOf(file: string, json: Buffer): BundleFacts {
  const version = readJson(z.object({ version: z.number() }), json)?.version;
  const facts = readJson(factsSchema, json);
  if (facts !== undefined) return facts;
  if (version === undefined || version === BUNDLE_VERSION)
    throw refuse(file, `has a ${BUNDLE_FILE} that is none`);
  throw new OperatorError(`has the format ${version}, and this program reads ${BUNDLE_VERSION}`, {
    where: file,
    remedy: "Use the program of the bundle: tar -xf FILE hephaestus, then node hephaestus/bin/hephaestus.js",
    exitCode: ExitCode.verify,
  });
}

const refuse = (file: string, message: string): OperatorError =>
  new OperatorError(message, {
    where: file,
    remedy: "Copy it again from where it was made, or make it again: hephaestus bundle",
    exitCode: ExitCode.verify,
  });
