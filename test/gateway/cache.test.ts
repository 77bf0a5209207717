/** A gateway that keeps layers, and manifests by digest. What is removed from the storage behind it shows where an answer comes from. */
import { rmSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { MANIFEST_TYPE } from "../e2e/attacks/image.js";
import { type Blob, push, putManifest, randomBlob } from "../e2e/load.js";
import { PASSWORD, USER } from "../e2e/stack.js";
import { basicValue } from "../support/basic.js";
import { type Served, serve } from "./served.js";

const authorization = basicValue(USER, PASSWORD);
/** Larger than two pieces of the cache. */
const SIZE = 34_000_000;
let served: Served;
let url: string;
let layer: Blob;

beforeAll(async () => {
  served = await serve({ gateway: { cache: "100M" } });
  ({ url } = served);
  layer = randomBlob(SIZE);
  await push(url, "team/app", [layer], { authorization });
  await putManifest(url, "team/app", [layer], { authorization });
});

afterAll(() => served?.stack.stop());

const ask = (path: string, headers: Record<string, string> = {}, method = "GET") =>
  fetch(`${url}/v2/team/app/${path}`, { method, headers: { accept: MANIFEST_TYPE, ...headers } });
const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer());

/** Takes a blob out of the storage, as nothing but a damaged disk does. */
function lose(digest: string): void {
  const hex = digest.slice("sha256:".length);
  rmSync(`${served.storage}/docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}`, { recursive: true });
}

test("a layer is read from the storage once, for whole pulls and for parts of it", async () => {
  const path = `blobs/${layer.digest}`;
  const together = await Promise.all(Array.from({ length: 10 }, () => ask(path).then(bytesOf)));
  for (const bytes of together) expect(bytes.equals(layer.data)).toBe(true);
  lose(layer.digest);
  const whole = await ask(path);
  expect([whole.status, whole.headers.get("docker-content-digest")]).toEqual([200, layer.digest]);
  expect((await bytesOf(whole)).equals(layer.data)).toBe(true);
  for (const [from, to] of [
    [0, 0],
    [16_777_215, 16_777_216],
    [1_000_000, 33_000_000],
    [33_900_000, SIZE - 1],
  ] as const) {
    const part = await ask(path, { range: `bytes=${from}-${to}` });
    expect([part.status, part.headers.get("content-range")]).toEqual([206, `bytes ${from}-${to}/${SIZE}`]);
    expect((await bytesOf(part)).equals(layer.data.subarray(from, to + 1))).toBe(true);
  }
  expect((await ask(path, { range: `bytes=${SIZE}-` })).status).toBe(416);
});

test("a user who asks whether a layer is there is told the truth, so that a push leaves nothing out", async () => {
  expect((await ask(`blobs/${layer.digest}`, { authorization }, "HEAD")).status).toBe(404);
  expect((await ask(`blobs/${layer.digest}`, {}, "HEAD")).status).toBe(200);
});

test("a tag is never stale, and a digest is", async () => {
  const before = (await ask("manifests/latest")).headers.get("docker-content-digest") ?? "";
  expect((await ask(`manifests/${before}`)).status).toBe(200);
  const other = randomBlob(1000);
  await push(url, "team/app", [other], { authorization });
  await putManifest(url, "team/app", [other], { authorization });
  const after = (await ask("manifests/latest")).headers.get("docker-content-digest") ?? "";
  expect(after).not.toBe(before);
  lose(before);
  expect((await ask(`manifests/${before}`)).status).toBe(200);
  expect((await ask(`manifests/${before}`, { authorization }, "HEAD")).status).not.toBe(200);
});

test("what is not there is not remembered", async () => {
  const late = randomBlob(1000);
  expect((await ask(`blobs/${late.digest}`)).status).toBe(404);
  await push(url, "team/app", [late], { authorization });
  expect((await ask(`blobs/${late.digest}`)).status).toBe(200);
});

test("another repository does not get it", async () => {
  const response = await fetch(`${url}/v2/other/app/blobs/${layer.digest}`);
  expect(response.status).toBe(404);
});
