/** Images of random data, each an OCI image layout: what the clients push. */
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

export const MEDIA = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar+gzip",
  empty: "application/vnd.oci.empty.v1+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerIndex: "application/vnd.docker.distribution.manifest.list.v2+json",
} as const;

export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  platform?: { os: string; architecture: string };
  annotations?: Record<string, string>;
  artifactType?: string;
}

export interface Image {
  /** Also the name of its layout's folder. */
  name: string;
  /** The folder of the layout. In it the image has the tag `TAG`. */
  layout: string;
  /** The manifest, or the index of an image with several platforms. */
  root: Descriptor;
  /** Layers of one platform. */
  layers: number;
  /** What is in them, before it is packed. */
  bytes: number;
}

export const TAG = "1";
export const PLATFORMS = ["amd64", "arm64"] as const;
type Platform = (typeof PLATFORMS)[number];
const MIB = 1024 ** 2;

export interface Images {
  /** Nobody pushes it but the test itself: who pulls it has none of its layers. */
  seed: Image;
  /** Two small layers. */
  small: Image;
  /** Five layers of 100 MB. */
  big: Image;
  /** One of 50 MB. */
  large: Image;
  /** An index for two platforms. */
  multi: Image;
  /** Its parts as images of their own, for clients that put an index together themselves. */
  parts: Record<Platform, Image>;
}

export function buildImages(folder: string): Images {
  return {
    seed: buildImage(folder, "seed", [200_000, 3 * MIB]),
    small: buildImage(folder, "small", [150_000, MIB]),
    big: buildImage(folder, "big", new Array<number>(5).fill(100 * MIB)),
    large: buildImage(folder, "large", [50 * MIB]),
    multi: buildIndex(folder, "multi"),
    parts: {
      amd64: buildImage(folder, "amd64", [40_000]),
      arm64: buildImage(folder, "arm64", [40_000], "arm64"),
    },
  };
}

/** An image of one platform with layers of so many bytes. */
export function buildImage(
  folder: string,
  name: string,
  sizes: number[],
  architecture: Platform = "amd64",
): Image {
  const layout = `${folder}/${name}`;
  return finish(name, layout, sizes, putImage(layout, sizes, architecture));
}

/** An image of two platforms. */
export function buildIndex(folder: string, name: string): Image {
  const layout = `${folder}/${name}`;
  const manifests = PLATFORMS.map((architecture) => putImage(layout, [50_000], architecture));
  return finish(
    name,
    layout,
    [50_000],
    put(layout, { schemaVersion: 2, mediaType: MEDIA.index, manifests }, MEDIA.index),
  );
}

export const sha256 = (bytes: Buffer): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

export function blobFile(layout: string, digest: string): string {
  return `${layout}/blobs/sha256/${digest.slice("sha256:".length)}`;
}

function put(layout: string, content: Buffer | object, mediaType: string): Descriptor {
  const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
  const digest = sha256(bytes);
  mkdirSync(`${layout}/blobs/sha256`, { recursive: true });
  writeFileSync(blobFile(layout, digest), bytes);
  return { mediaType, digest, size: bytes.length };
}

function putImage(layout: string, sizes: number[], architecture: Platform): Descriptor {
  const diffIds: string[] = [];
  const layers = sizes.map((size, number) => {
    const tar = tarOf(`data-${number}`, randomBytes(size));
    diffIds.push(sha256(tar));
    // Random data gets no smaller, so nothing is spent on trying.
    return put(layout, gzipSync(tar, { level: 0 }), MEDIA.layer);
  });
  const platform = { os: "linux", architecture };
  const rootfs = { type: "layers", diff_ids: diffIds };
  const config = put(layout, { ...platform, config: { Cmd: ["/data-0"] }, rootfs }, MEDIA.config);
  const manifest = { schemaVersion: 2, mediaType: MEDIA.manifest, config, layers };
  return { ...put(layout, manifest, MEDIA.manifest), platform };
}

function finish(name: string, layout: string, sizes: number[], root: Descriptor): Image {
  const annotations = { "org.opencontainers.image.ref.name": TAG };
  const index = { schemaVersion: 2, mediaType: MEDIA.index, manifests: [{ ...root, annotations }] };
  writeFileSync(`${layout}/oci-layout`, JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  writeFileSync(`${layout}/index.json`, JSON.stringify(index));
  return { name, layout, layers: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0), root };
}

/** A tar archive (ustar) of one file. */
function tarOf(name: string, content: Buffer): Buffer {
  const header = Buffer.alloc(512);
  const octal = (value: number, width: number) => `${value.toString(8).padStart(width - 1, "0")}\0`;
  header.write(name, 0);
  header.write(octal(0o644, 8) + octal(0, 8) + octal(0, 8) + octal(content.length, 12) + octal(0, 12), 100);
  header.write("        0", 148);
  header.write("ustar\x0000", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
  return Buffer.concat([header, content, padding, Buffer.alloc(1024)]);
}
