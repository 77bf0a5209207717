import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, rename, rm, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { BlobFiles, writing } from "../backup/blobFiles.js";
import { blobFile, INDEX_FILE, LAYOUT, LAYOUT_FILE } from "../backup/ociLayout.js";
import { type Digest, digestOf, digestOfStream, digestSchema } from "../registry/digest.js";
import { mediaTypeOf } from "../registry/mediaTypes.js";
import { readJson } from "../registry/readJson.js";
import { imageParts } from "../services/mirrorSources.js";
import {
  BUNDLE_FILE,
  type BundledImage,
  type BundleFacts,
  type SavedImage,
  SUMS_FILE,
  sumsText,
} from "./bundleFormat.js";
import type { Target } from "./imageSource.js";
import { type Entry, fileEntry, writeTar } from "./tarFile.js";

/**
 * Annotations by which programs find an image. Docker with containerd's image store takes the second as it is, and looks
 * for the full name. Source: OCI image specification, annotations.md; containerd, images/annotations.go.
 */
const REF_NAME = "org.opencontainers.image.ref.name";
const CONTAINERD_NAME = "io.containerd.image.name";

/**
 * Writes a bundle: first beside the file, then under its name. Nothing is left of one that failed.
 *
 * @param collect puts the images into a layout
 * @param more files beside the images
 * @returns the images, and the bytes of the bundle
 */
export async function writeBundle(
  file: string,
  platform: string,
  collect: (target: Target) => Promise<BundledImage[]>,
  facts: (images: BundledImage[]) => BundleFacts,
  more: readonly Entry[],
): Promise<{ images: BundledImage[]; bytes: number }> {
  return writing(file, async () => {
    const work = await mkdtemp(`${resolve(file)}.part-`);
    try {
      await mkdir(`${work}/blobs/sha256`, { recursive: true });
      const blobs = new BlobFiles(work);
      const images = await collect({ layout: work, blobs, platform });
      const entries = [
        { path: LAYOUT_FILE, mode: 0o644, text: LAYOUT },
        { path: INDEX_FILE, mode: 0o644, text: await indexText(images, blobs) },
        { path: "manifest.json", mode: 0o644, text: await savedText(images, blobs) },
        { path: BUNDLE_FILE, mode: 0o644, text: `${JSON.stringify(facts(images), null, 2)}\n` },
        ...(await blobEntries(images, blobs)),
        ...more,
      ];
      const sums = new Map<string, string>();
      for (const entry of entries) sums.set(entry.path, await sumOf(entry));
      await writeTar(`${work}/bundle.tar`, [
        { path: SUMS_FILE, mode: 0o644, text: sumsText(sums) },
        ...entries,
      ]);
      const { size } = await stat(`${work}/bundle.tar`);
      await mkdir(dirname(resolve(file)), { recursive: true });
      await rename(`${work}/bundle.tar`, file);
      return { images, bytes: size };
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  });
}

/** The blobs that the images need; a registry that broke off may have left others. */
async function blobEntries(images: readonly BundledImage[], blobs: BlobFiles): Promise<Entry[]> {
  const needed = new Set<Digest>();
  for (const { digest, config } of images) {
    for (const blob of [digest, config, ...(await layersOf(digest, blobs))]) needed.add(blob);
  }
  const digests = [...needed].sort();
  const entries = await Promise.all(digests.map((digest) => fileEntry(blobs.path(digest), blobFile(digest))));
  return entries.map((entry) => ({ ...entry, mode: 0o644 }));
}

async function indexText(images: readonly BundledImage[], blobs: BlobFiles): Promise<string> {
  const manifests = [];
  for (const { name, digest, platform } of images) {
    const bytes = await manifestOf(digest, blobs);
    const [os, architecture] = platform.split("/");
    const { repository, tag = "latest" } = imageParts(name);
    const annotations = { [REF_NAME]: name, [CONTAINERD_NAME]: `${repository}:${tag}` };
    manifests.push({
      mediaType: mediaTypeOf(bytes),
      digest,
      size: bytes.length,
      platform: { os, architecture },
      annotations,
    });
  }
  const index = { schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests };
  return `${JSON.stringify(index, null, 1)}\n`;
}

/** Where `docker load` of every engine finds the parts. */
async function savedText(images: readonly BundledImage[], blobs: BlobFiles): Promise<string> {
  const saved: SavedImage[] = [];
  for (const { name, digest, config } of images) {
    const Layers = (await layersOf(digest, blobs)).map(blobFile);
    // A name with a digest is none that an engine can give.
    saved.push({ Config: blobFile(config), RepoTags: [name.replace(/@.*$/, "")], Layers });
  }
  return `${JSON.stringify(saved)}\n`;
}

/** Digests of the layers of a manifest in the layout, in their order; one may occur twice. */
async function layersOf(digest: Digest, blobs: BlobFiles): Promise<Digest[]> {
  const layers = readJson(layersSchema, await manifestOf(digest, blobs))?.layers ?? [];
  return layers.map((layer) => layer.digest);
}

const layersSchema = z.object({ layers: z.array(z.object({ digest: digestSchema })) });

async function manifestOf(digest: Digest, blobs: BlobFiles): Promise<Buffer> {
  const bytes = await blobs.small(digest);
  if (bytes === undefined) throw new Error(`${digest} was not collected`);
  return bytes;
}

const sumOf = async (entry: Entry): Promise<string> =>
  ("text" in entry
    ? digestOf(Buffer.from(entry.text))
    : await digestOfStream(createReadStream(entry.file))
  ).slice("sha256:".length);
