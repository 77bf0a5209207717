import { createReadStream } from "node:fs";
import { copyFile, mkdir, open, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import type { BlobFiles } from "../backup/blobFiles.js";
import { fetchBlobs } from "../backup/fetchBlobs.js";
import { words } from "../docker/objects.js";
import type { Docker } from "../docker/run.js";
import { ExitCode, OperatorError } from "../errors.js";
import { type Digest, digestOf, digestOfStream, digestSchema, isDigest } from "../registry/digest.js";
import { namesManifest } from "../registry/mediaTypes.js";
import { readJson } from "../registry/readJson.js";
import { parseReferences } from "../registry/references.js";
import type { RegistryApi } from "../registry/registryApi.js";
import type { ProgressMeter } from "../terminal/progress.js";
import { type BundledImage, savedSchema } from "./bundleFormat.js";
import { extractTar } from "./tarFile.js";

/** Where the parts of an image go: an OCI image layout. */
export interface Target {
  layout: string;
  blobs: BlobFiles;
  /** os/architecture[/variant] */
  platform: string;
}

const CONFIG_TYPE = "application/vnd.oci.image.config.v1+json";
const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";
const LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar";

const indexSchema = z.object({
  manifests: z.array(
    z.object({
      digest: digestSchema,
      mediaType: z.unknown().optional(),
      platform: z
        .object({
          os: z.unknown().optional(),
          architecture: z.unknown().optional(),
          variant: z.unknown().optional(),
        })
        .nullish(),
    }),
  ),
});
/** Source: OCI image specification, config.md. */
const configSchema = z.object({ os: z.string(), architecture: z.string() });

/**
 * Takes an image from its registry: its manifest for the platform, as it is there.
 *
 * @param reference a tag or a digest
 * @throws OperatorError where the registry does not answer, or has no such image
 */
export async function fromRegistry(
  image: { name: string; registry: string; repository: string; reference: string },
  api: RegistryApi,
  { blobs, platform }: Target,
  meter: ProgressMeter,
  signal: AbortSignal,
): Promise<BundledImage> {
  const { name, registry, repository, reference } = image;
  const named = await api.rawManifest(repository, reference);
  if (named === undefined) throw missing(name, `${registry} has no ${repository}:${reference}`);
  if (isDigest(reference) && digestOf(named.bytes) !== reference)
    throw missing(name, `${registry} gives something else for ${reference}`);
  const index = readJson(indexSchema, named.bytes);
  const digest = index ? platformDigest(index, platform) : named.digest;
  if (digest === undefined) throw missing(name, `it has no image for ${platform}`);
  const manifest = digest === named.digest ? named : await api.rawManifest(repository, digest);
  const references = manifest && parseReferences(manifest.bytes);
  const config = references?.config;
  if (
    manifest === undefined ||
    references === undefined ||
    config === undefined ||
    digestOf(manifest.bytes) !== digest
  )
    throw missing(name, `${digest} cannot be read`);
  const { damage } = await fetchBlobs(
    api,
    blobs,
    references.blobs.map((blob) => ({ ...blob, repository })),
    meter,
    signal,
  );
  if (damage.length > 0) throw missing(name, damage.join("; "));
  await blobs.put(digest, manifest.bytes);
  const has = platformOfConfig(await blobs.small(config));
  if (!isFor(platform, has)) throw missing(name, `${registry} has it for ${has}`);
  return { name, digest, config, platform, source: { registry, digest: named.digest } };
}

/** The platform that a config names. */
function platformOfConfig(bytes: Buffer | undefined): string {
  const config = bytes && readJson(configSchema, bytes);
  return config ? `${config.os}/${config.architecture}` : "no platform";
}

/** Whether an image for a platform is what was wanted; a config may leave its variant out. */
const isFor = (wanted: string, has: string): boolean => wanted.split("/").slice(0, 2).join("/") === has;

/** The digest of an index's image for a platform. */
function platformDigest({ manifests }: z.infer<typeof indexSchema>, wanted: string): Digest | undefined {
  const [os, architecture, variant] = wanted.split("/");
  return manifests.find(
    (one) =>
      namesManifest(one) &&
      one.platform?.os === os &&
      one.platform?.architecture === architecture &&
      (variant === undefined || one.platform?.variant === variant),
  )?.digest;
}

/**
 * Takes an image from the engine, which has lost the registry's manifest: its config and its layers stay what they are.
 *
 * @param running the digest that the stack runs; undefined where it is not known
 * @throws OperatorError where the engine does not have it, has it for another platform, or has another one
 */
export async function fromEngine(
  name: string,
  running: string | undefined,
  target: Target,
  docker: Docker,
): Promise<BundledImage> {
  if (running !== undefined) {
    const known = await digestsOf(name, docker);
    if (known.length > 0 && !known.includes(running))
      throw missing(name, `this engine has another image of that name than ${running}, which the stack runs`);
  }
  const archive = join(target.layout, "saved.tar");
  const folder = join(target.layout, "saved");
  const { exitCode, stderr } = await docker.attempt(["save", "--output", archive, name]);
  if (exitCode !== 0) throw missing(name, stderr.trim().split("\n").at(-1) ?? "docker save failed");
  // The parts of the image before.
  await rm(folder, { recursive: true, force: true });
  const places = await extractTar(archive, folder).catch((cause: Error) => {
    throw missing(name, `what docker saved cannot be read: ${cause.message}`);
  });
  const place = (path: string): string => {
    const found = places(path);
    if (found === undefined) throw missing(name, `what docker saved lacks ${path}`);
    return found;
  };
  const [saved] = readJson(savedSchema, await readFile(place("manifest.json"))) ?? [];
  if (saved === undefined) throw missing(name, "docker saved nothing");
  const configBytes = await readFile(place(saved.Config));
  const platform = platformOfConfig(configBytes);
  if (!isFor(target.platform, platform)) throw missing(name, `the engine has it for ${platform}`);
  const layers = [];
  for (const path of saved.Layers) layers.push(await addFile(target.blobs, place(path)));
  const config = await addBytes(target.blobs, configBytes, CONFIG_TYPE);
  const manifest = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST_TYPE, config, layers }),
  );
  const { digest } = await addBytes(target.blobs, manifest, MANIFEST_TYPE);
  return { name, digest, config: config.digest, platform, source: { engine: true } };
}

/** The digests by which the engine pulled or pushed an image; none where it was built or loaded. */
async function digestsOf(name: string, docker: Docker): Promise<string[]> {
  const inspect = ["image", "inspect", "--format", "{{range .RepoDigests}}{{println .}}{{end}}", name];
  return words((await docker.attempt(inspect)).stdout).map((known) => known.replace(/^.*@/, ""));
}

async function addBytes(blobs: BlobFiles, bytes: Buffer, mediaType: string) {
  const digest = digestOf(bytes);
  await blobs.put(digest, bytes);
  return { mediaType, digest, size: bytes.length };
}

/** A layer, compressed or not, under its digest. */
async function addFile(blobs: BlobFiles, file: string) {
  const digest = await digestOfStream(createReadStream(file));
  const handle = await open(file);
  const { buffer } = await handle.read(Buffer.alloc(2), 0, 2, 0);
  const { size } = await handle.stat();
  await handle.close();
  await mkdir(dirname(blobs.path(digest)), { recursive: true });
  await copyFile(file, blobs.path(digest));
  return { mediaType: buffer.equals(GZIP) ? `${LAYER_TYPE}+gzip` : LAYER_TYPE, digest, size };
}

/** Source: RFC 1952, 2.3.1. */
const GZIP = Buffer.from([0x1f, 0x8b]);

const missing = (name: string, reason: string): OperatorError =>
  new OperatorError(`cannot be bundled: ${reason}`, {
    where: name,
    remedy: "Pull it onto this engine (docker pull), or name another platform: --platform",
    exitCode: ExitCode.preflight,
  });
