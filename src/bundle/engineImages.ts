import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join, posix } from "node:path";
import { pipeline } from "node:stream/promises";
import { z } from "zod";
import type { Docker } from "../docker/run.js";
import { ExitCode, OperatorError } from "../errors.js";
import { readJson } from "../json.js";
import { type Digest, digestOfStream, hexOf } from "../registry/digest.js";
import { stackServices } from "../swarm/objects.js";
import { blobPath, MANIFEST_FILE, manifestSchema } from "./bundleFormat.js";
import { type Entry, fileEntry, readTar } from "./tarFile.js";

/** One image that was saved by its name. */
const savedSchema = z.array(manifestSchema.element.pick({ Config: true, Layers: true }));

/**
 * Sees to it that the engine has an image under its name: the one that the stack runs, if that is known.
 *
 * @param running the digest that the stack runs; undefined if it is not known
 * @param platform os/architecture that it has to be for
 * @param canPull whether its registry may be asked
 * @returns what is not known about it, as a sentence; undefined if it is the right one
 * @throws OperatorError if the engine cannot get it, or has it for another platform
 */
export async function provideImage(
  docker: Docker,
  name: string,
  { running, platform, canPull }: { running: string | undefined; platform: string; canPull: boolean },
): Promise<string | undefined> {
  const found = await inspectImage(docker, name);
  const isRight = found !== undefined && (running === undefined || found.digests.includes(running));
  const isPulled = !isRight && canPull;
  if (isPulled) await pull(docker, name, running);
  else if (found === undefined) throw cannotBundle(name, "this engine does not have it");
  else if (!isRight && found.digests.length > 0)
    throw cannotBundle(
      name,
      `this engine has another image of that name than ${running}, which the stack runs`,
    );
  const has = (isPulled ? await inspectImage(docker, name) : found)?.platform;
  if (has !== platform) throw cannotBundle(name, `this engine has it for ${has}, and runs on ${platform}`);
  if (isRight || isPulled) return undefined;
  return `${name} was built or loaded here and has no digest, so it may be another image than the stack runs: ${running}`;
}

async function pull(docker: Docker, name: string, digest: string | undefined): Promise<void> {
  const reference = digest === undefined ? name : `${name}@${digest}`;
  const { exitCode, stderr } = await docker.attempt(["pull", "--quiet", reference]);
  if (exitCode !== 0) throw cannotBundle(name, stderr.trim().split("\n").at(-1) ?? "docker pull failed");
  if (digest !== undefined) await docker.run(["tag", reference, name]);
}

/**
 * The platform of an image, and the digests by which the engine pulled or pushed it; undefined if there is
 * none.
 */
async function inspectImage(
  docker: Docker,
  name: string,
): Promise<{ platform: string | undefined; digests: string[] } | undefined> {
  const format = "{{.Os}}/{{.Architecture}}{{range .RepoDigests}} {{.}}{{end}}";
  const { exitCode, stdout } = await docker.attempt(["image", "inspect", "--format", format, name]);
  if (exitCode !== 0) return undefined;
  const [platform, ...known] = stdout.trim().split(/\s+/);
  return { platform, digests: known.map((reference) => reference.replace(/^.*@/, "")) };
}

/**
 * The digests that the services of a stack run, by image; none if this engine is no manager of a Swarm.
 *
 * @throws OperatorError if a manager does not tell: what is not known cannot be compared
 */
export async function runningDigests(docker: Docker, stack: string): Promise<Map<string, string>> {
  const services = await stackServices(docker, stack).catch((error: unknown) => {
    if (error instanceof OperatorError && error.exitCode === ExitCode.preflight) return [];
    throw error;
  });
  const images = services.map(({ Spec }) => Spec.TaskTemplate.ContainerSpec.Image.split("@"));
  return new Map(images.flatMap(([name = "", digest]) => (digest === undefined ? [] : [[name, digest]])));
}

/**
 * Saves images of the engine, each part once and under its digest, so that the same images make the same
 * files.
 *
 * @param folder for the parts
 * @returns what an archive has to have so that `docker load` reads it
 */
export async function saveImages(docker: Docker, names: readonly string[], folder: string): Promise<Entry[]> {
  const parts = new Map<string, Entry>();
  const manifest = [];
  for (const name of names) {
    const saved = await saveImage(docker, name, join(folder, String(manifest.length)));
    for (const { digest, file } of [saved.config, ...saved.layers])
      parts.set(digest, { ...(await fileEntry(file, blobPath(hexOf(digest)))), mode: 0o644 });
    const Layers = saved.layers.map(({ digest }) => blobPath(hexOf(digest)));
    manifest.push({ Config: blobPath(hexOf(saved.config.digest)), RepoTags: [name], Layers });
  }
  const text = `${JSON.stringify(manifest)}\n`;
  const entries = [...parts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
  return [{ path: MANIFEST_FILE, mode: 0o644, text }, ...entries];
}

interface Part {
  digest: Digest;
  file: string;
}

async function saveImage(
  docker: Docker,
  name: string,
  folder: string,
): Promise<{ config: Part; layers: Part[] }> {
  const archive = `${folder}.tar`;
  await docker.run(["save", "--output", archive, name]);
  const fileOf = await extractTar(archive, folder).catch((cause: Error) => {
    throw cannotBundle(name, `what docker saved cannot be read: ${cause.message}`);
  });
  await rm(archive);
  const place = (path: string): string => {
    const file = fileOf(path);
    if (file === undefined) throw cannotBundle(name, `what docker saved lacks ${path}`);
    return file;
  };
  const part = async (path: string): Promise<Part> => ({
    digest: await digestOfStream(createReadStream(place(path))),
    file: place(path),
  });
  const [saved] = readJson(savedSchema, await readFile(place(MANIFEST_FILE))) ?? [];
  if (saved === undefined) throw cannotBundle(name, `what docker saved has no image in ${MANIFEST_FILE}`);
  const layers = [];
  for (const path of saved.Layers) layers.push(await part(path));
  return { config: await part(saved.Config), layers };
}

/**
 * Unpacks an archive of `docker save`: files, and links to layers that occur twice. Its names are no paths
 * here: each file gets a number, and no link is made.
 *
 * @param folder which is created
 * @returns the file on the disk that has a name in the archive; undefined if there is none
 * @throws Error if it cannot be read, or holds other things
 */
export async function extractTar(
  file: string,
  folder: string,
): Promise<(name: string) => string | undefined> {
  const places = new Map<string, string>();
  const links = new Map<string, string>();
  await mkdir(folder, { recursive: true });
  for await (const { name, type, target, content } of readTar(file)) {
    const path = posix.normalize(name);
    if (type === "file") {
      const place = join(folder, String(places.size));
      await pipeline(content, createWriteStream(place, { flags: "wx" }));
      places.set(path, place);
    } else if (type === "symlink") links.set(path, posix.join(path, "..", target));
    else if (type !== "directory") throw new Error(`${name} is neither a file nor a folder nor a link`);
  }
  return (name) => places.get(posix.normalize(name)) ?? places.get(links.get(posix.normalize(name)) ?? "");
}

const cannotBundle = (name: string, reason: string): OperatorError =>
  new OperatorError(`cannot be bundled: ${reason}`, {
    where: name,
    remedy: "Pull it onto this engine (docker pull), or use an engine that can: --context",
    exitCode: ExitCode.preflight,
  });
