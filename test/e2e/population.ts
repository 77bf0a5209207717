/** A registry with many images that share layers, pushed quickly through the front door. */

import { randomBytes } from "node:crypto";
import { basicValue } from "../support/basic.js";
import { digestOf } from "./attacks/image.js";
import { type Descriptor, MEDIA, PLATFORMS } from "./clients/images.js";
import { PASSWORD, USER } from "./stack.js";

export interface PopulationSettings {
  repositories: number;
  tagsPerRepository: number;
  /** Layers that all repositories share; each image has two of them. */
  sharedLayers?: number;
  /** Bytes of each shared layer. */
  layerSize?: number;
  /** Names of repositories begin with it. */
  prefix?: string;
}

/** What was pushed. */
export interface Population {
  /** Digest of each image, by "repository:tag"; the index too. */
  manifests: Map<string, string>;
  /** An image for two platforms, which have no tags of their own. */
  index: { repository: string; tag: string; digest: string; children: string[] };
  /** Every manifest's bytes, by digest. */
  manifestBytes: Map<string, Buffer>;
  /** Every blob's bytes, by digest, and one repository that has it. */
  blobs: Map<string, { bytes: Buffer; repository: string }>;
}

/** Requests under way at once. */
const CONCURRENCY = 8;

const AUTHORIZATION = basicValue(USER, PASSWORD);

/**
 * Fills a registry: each shared layer is uploaded once and mounted into the other repositories; each image has a layer and a
 * config of its own.
 *
 * @param url of the front door, such as http://localhost:5000
 */
export async function populate(url: string, settings: PopulationSettings): Promise<Population> {
  const {
    repositories,
    tagsPerRepository,
    sharedLayers = 12,
    layerSize = 40_000,
    prefix = "team",
  } = settings;
  const pusher = new Pusher(url);
  const names = Array.from({ length: repositories }, (_, number) => `${prefix}/app-${number}`);
  const [first = `${prefix}/app-0`, ...others] = names;
  const shared = await inParallel(
    Array.from({ length: sharedLayers }, () => randomBytes(layerSize)),
    (bytes) => pusher.upload(first, MEDIA.layer, bytes),
  );
  const mounts = others.flatMap((name) => shared.map((layer) => [name, layer.digest] as const));
  await inParallel(mounts, ([name, digest]) => pusher.mount(name, first, digest));

  const manifests = new Map<string, string>();
  const images = names.flatMap((name) =>
    Array.from({ length: tagsPerRepository }, (_, number) => [name, `v${number}`, number] as const),
  );
  await inParallel(images, async ([name, tag, number]) => {
    const layers = [0, 1].map((step) => shared[(number + step) % shared.length]);
    const image = await pusher.image(
      name,
      layers.filter((layer) => layer !== undefined),
      tag,
    );
    manifests.set(`${name}:${tag}`, image.digest);
  });

  const children = await inParallel(PLATFORMS, async (architecture) => ({
    ...(await pusher.image(first, shared.slice(0, 1), undefined, architecture)),
    platform: { os: "linux", architecture },
  }));
  const index = await pusher.manifest(first, "multi", MEDIA.index, { manifests: children });
  manifests.set(`${first}:multi`, index.digest);
  return {
    manifests,
    index: {
      repository: first,
      tag: "multi",
      digest: index.digest,
      children: children.map(({ digest }) => digest),
    },
    manifestBytes: pusher.manifestBytes,
    blobs: pusher.blobs,
  };
}

/** Pushes to a registry with nothing but requests, and remembers what. */
export class Pusher {
  readonly manifestBytes = new Map<string, Buffer>();
  readonly blobs: Population["blobs"] = new Map();

  constructor(private readonly url: string) {}

  /** Pushes an image with the given layers and one of its own. */
  async image(
    repository: string,
    layers: readonly Descriptor[],
    tag: string | undefined,
    architecture: (typeof PLATFORMS)[number] = "amd64",
  ): Promise<Descriptor> {
    const own = await this.upload(repository, MEDIA.layer, randomBytes(2_000));
    const all = [...layers, own];
    const rootfs = { type: "layers", diff_ids: all.map(({ digest }) => digest) };
    const config = Buffer.from(JSON.stringify({ os: "linux", architecture, config: {}, rootfs }));
    const configDescriptor = await this.upload(repository, MEDIA.config, config);
    return this.manifest(repository, tag, MEDIA.manifest, { config: configDescriptor, layers: all });
  }

  /** Pushes what BuildKit exports as its cache: an index that lists layers and a configuration, and no manifest. */
  async buildCache(repository: string, tag: string): Promise<Descriptor> {
    const layers = await inParallel([1, 2], () => this.upload(repository, MEDIA.layer, randomBytes(2_000)));
    const config = Buffer.from(JSON.stringify({ layers: layers.map(({ digest }) => ({ blob: digest })) }));
    const own = await this.upload(repository, "application/vnd.buildkit.cacheconfig.v0", config);
    return this.manifest(repository, tag, MEDIA.index, { manifests: [...layers, own] });
  }

  /** @param tag undefined for a manifest that is known by its digest alone */
  async manifest(
    repository: string,
    tag: string | undefined,
    mediaType: string,
    parts: object,
  ): Promise<Descriptor> {
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...parts }));
    const digest = digestOf(bytes);
    const path = `/v2/${repository}/manifests/${tag ?? digest}`;
    await this.ask("PUT", path, 201, { body: bytes, headers: { "content-type": mediaType } });
    this.manifestBytes.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  }

  async upload(repository: string, mediaType: string, bytes: Buffer): Promise<Descriptor> {
    const digest = digestOf(bytes);
    const begun = await this.ask("POST", `/v2/${repository}/blobs/uploads/`, 202);
    const { pathname, searchParams } = new URL(begun.headers.get("location") ?? "", this.url);
    searchParams.set("digest", digest);
    const headers = { "content-type": "application/octet-stream" };
    await this.ask("PUT", `${pathname}?${searchParams}`, 201, { body: bytes, headers });
    this.blobs.set(digest, { bytes, repository });
    return { mediaType, digest, size: bytes.length };
  }

  async mount(repository: string, from: string, digest: string): Promise<void> {
    const query = new URLSearchParams({ mount: digest, from });
    await this.ask("POST", `/v2/${repository}/blobs/uploads/?${query}`, 201);
  }

  /** Deletes an image, with every tag that names it. */
  async remove(repository: string, digest: string): Promise<void> {
    await this.ask("DELETE", `/v2/${repository}/manifests/${digest}`, 202);
  }

  private async ask(method: string, path: string, status: number, init: RequestInit = {}): Promise<Response> {
    const headers = { ...(init.headers as Record<string, string>), authorization: AUTHORIZATION };
    const signal = AbortSignal.timeout(30_000);
    const response = await fetch(`${this.url}${path}`, { ...init, method, headers, signal });
    const body = await response.text();
    if (response.status !== status)
      throw new Error(`${method} ${path}: ${response.status} instead of ${status}: ${body}`);
    return response;
  }
}

/**
 * Pulls every image by its tag and by its digest, and every blob, without a login.
 *
 * @returns what is missing or is not what was pushed, byte for byte
 */
export async function pullFaults(url: string, population: Population): Promise<string[]> {
  const { manifests, manifestBytes, blobs, index } = population;
  const accept = Object.values(MEDIA).join(", ");
  const wanted: Array<[path: string, bytes: Buffer | undefined]> = [
    ...[...manifests].flatMap(([name, digest]): Array<[string, Buffer | undefined]> => {
      const [repository, tag] = name.split(":");
      return [tag, digest].map((reference) => [
        `${repository}/manifests/${reference}`,
        manifestBytes.get(digest),
      ]);
    }),
    ...index.children.map((digest): [string, Buffer | undefined] => [
      `${index.repository}/manifests/${digest}`,
      manifestBytes.get(digest),
    ]),
    ...[...blobs].map(([digest, { bytes, repository }]): [string, Buffer] => [
      `${repository}/blobs/${digest}`,
      bytes,
    ]),
  ];
  const faults = await inParallel(wanted, async ([path, bytes]) => {
    const response = await fetch(`${url}/v2/${path}`, { headers: { accept } });
    const body = Buffer.from(await response.arrayBuffer());
    if (response.status !== 200) return `${path}: ${response.status}`;
    return bytes?.equals(body) ? "" : `${path}: other bytes`;
  });
  return faults.filter((fault) => fault !== "");
}

/** Works through a list, a few at once; results in the list's order. */
export async function inParallel<T, R>(list: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async () => {
    for (let at = next++; at < list.length; at = next++) results[at] = await work(list[at] as T);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  return results;
}
