import { text } from "node:stream/consumers";
import { ExitCode, OperatorError } from "../errors.js";
import { digestOfStream } from "../registry/digest.js";
import type { RenderedFile } from "../render/renderedFiles.js";
import {
  BUNDLE_FILE,
  BUNDLE_VERSION,
  type BundleFacts,
  parseSums,
  STACK_FOLDER,
  SUMS_FILE,
} from "./bundleFormat.js";
import { visitTar } from "./tarFile.js";

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
      sums = parseSums(await text(content));
      return;
    }
    if (sums === undefined) throw refuse(file, "is no bundle of hephaestus");
    const wanted = sums.get(path);
    if (wanted === undefined) throw refuse(file, `has a file that is not in ${SUMS_FILE}: ${path}`);
    // What is written must not lead out of its folder.
    if (path.split("/").some((part) => part === ".." || part === ""))
      throw refuse(file, `has a path that leads out of it: ${path}`);
    const chunks: Uint8Array[] = [];
    const isKept = path === BUNDLE_FILE || path.startsWith(`${STACK_FOLDER}/`);
    const sum = await digestOfStream(isKept ? keeping(content, chunks) : content);
    if (sum !== `sha256:${wanted}`) throw refuse(file, `is damaged: ${path} does not match ${SUMS_FILE}`);
    sums.delete(path);
    const kept = Buffer.concat(chunks).toString("utf8");
    if (path === BUNDLE_FILE) facts = factsOf(file, kept);
    else if (isKept) files.push({ path: path.slice(STACK_FOLDER.length + 1), text: kept });
  });
  if (sums === undefined) throw refuse(file, "is no bundle of hephaestus");
  const [missing] = sums.keys();
  if (missing !== undefined) throw refuse(file, `ends too early: ${missing} is missing`);
  if (facts === undefined) throw refuse(file, `has no ${BUNDLE_FILE}`);
  return { facts, files };
}

function factsOf(file: string, json: string): BundleFacts {
  const facts = JSON.parse(json) as BundleFacts;
  if (facts.version === BUNDLE_VERSION) return facts;
  throw new OperatorError(`has the format ${facts.version}, and this program reads ${BUNDLE_VERSION}`, {
    where: file,
    remedy: "Use the program of the bundle: tar -xf FILE hephaestus, then node hephaestus/bin/hephaestus.js",
    exitCode: ExitCode.verify,
  });
}

async function* keeping(
  content: AsyncIterable<Uint8Array>,
  chunks: Uint8Array[],
): AsyncGenerator<Uint8Array> {
  for await (const chunk of content) {
    chunks.push(chunk);
    yield chunk;
  }
}

const refuse = (file: string, message: string): OperatorError =>
  new OperatorError(message, {
    where: file,
    remedy: "Copy it again from where it was made, or make it again: hephaestus bundle",
    exitCode: ExitCode.verify,
  });
