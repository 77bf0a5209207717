/** `pull: authenticated`: who has no password reads nothing, by no shape of a request. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseAccess } from "../../src/frontDoor/gatewayLog.js";
import { writes } from "../e2e/attacks/shapes.js";
import { type Attack, attack, expectRefused } from "../e2e/intruder/attack.js";
import { listing, type RawRequest, requestText } from "../e2e/intruder/raw.js";
import { combinations, DISGUISES } from "../e2e/intruder/shapes.js";
import { USER } from "../e2e/stack.js";
import { ask, RIGHT } from "./attacks/site.js";
import { type Served, serve } from "./served.js";

let served: Served;
let before: string[];

beforeAll(async () => {
  served = await serve({
    registry: { pull: "authenticated", delete: true },
    gateway: { log: "json" },
  });
  before = listing(served.storage);
});

afterAll(() => served?.stack.stop());

/** Ways to ask for what is there. */
const reads = () =>
  [
    "/v2/_catalog",
    "/v2/tools/hello/tags/list",
    "/v2/tools/hello/manifests/latest",
    `/v2/tools/hello/manifests/${served.image.manifestDigest}`,
    `/v2/tools/hello/blobs/${served.image.blobDigest}`,
  ].flatMap((path) => [
    path,
    `/${path}`,
    path.replace("/v2/", "/v2//"),
    path.replace("/v2/", "/v2/./"),
    path.replace("/v2/", "/auth/../v2/"),
    path.replace("/v2/", "/healthz/../v2/"),
    path.replace("/v2/", "/%76%32/"),
    path.replace("tools/hello", "tools%2Fhello"),
    `http://localhost${path}`,
    `${path}?n=1`,
    `${path}#x`,
    `${path}/`,
  ]);

/** An attack that must not even tell what is there. */
const reading = (request: RawRequest): Attack => ({
  bytes: requestText(request),
  opens: (statuses, text) =>
    /tools\/hello"|docker-content-digest/i.test(text) ||
    statuses.some(
      (status) => status < 400 && !/healthz$|^\*$/.test(request.target) && status !== 301 && status !== 302,
    ),
});

test("nobody reads without a password", async () => {
  const requests = ["GET", "HEAD", "get", "OPTIONS"].flatMap((method) =>
    reads().flatMap((path) => DISGUISES.map((headers) => ({ method, target: path, headers }))),
  );
  expect(requests.length).toBeGreaterThan(4000);
  // Most of them are written in a way that names nothing.
  expectRefused(await attack([served.endpoint], requests.map(reading)), 0.2);
});

test("nobody writes without a password, and nobody gets a token", async () => {
  expectRefused(await attack([served.endpoint], combinations().map(reading)), 0.4);
  expect(listing(served.storage)).toEqual(before);
});

test("who has one reads", async () => {
  // The attacks guessed from this address too.
  const tags = async () => (await ask(served.endpoint, "GET", "/v2/tools/hello/tags/list", [RIGHT])).status;
  await expect.poll(tags, { timeout: 60_000, interval: 3000 }).toBe(200);
});

test("every request of all these is one line of JSON in the log, which `audit` takes for the same", async () => {
  const lines = (await served.log()).trimEnd().split("\n");
  expect(lines.length).toBeGreaterThan(4000);
  for (const line of lines) {
    const { method, action, repository, user, status } = JSON.parse(line);
    // What is no HTTP has no method, and what nginx refuses for its form or its method has no action.
    if (["", "TRACE", "CONNECT"].includes(method) || status === 400) continue;
    const access = parseAccess(line);
    expect([access?.action ?? "", access?.repository ?? "", access?.user ?? "", access?.status]).toEqual([
      action,
      repository,
      user,
      status,
    ]);
  }
  expect(parseAccess(lines.at(-1) ?? "")).toMatchObject({
    user: USER,
    action: "list",
    repository: "tools/hello",
    status: 200,
  });
});

test("the library's account reads as a user does, and writes and deletes nothing, however it asks", async () => {
  const account = `Authorization: ${served.stack.libraryAuthorization}`;
  const statusOf = async (method: string, path: string, more: string[] = [], body = "") =>
    (await ask(served.endpoint, method, path, [...more, account], body)).status ?? 0;
  const digest = `/v2/tools/hello/manifests/${served.image.manifestDigest}`;
  for (const path of ["/v2/", "/v2/_catalog", "/v2/tools/hello/tags/list"])
    expect(await statusOf("GET", path), path).toBe(200);
  const sent = writes(served.image);
  expect(sent.length).toBeGreaterThan(5);
  for (const { method, target, headers, body } of [
    ...sent,
    { method: "DELETE", target: digest, headers: [], body: "" },
  ])
    expect(await statusOf(method, target, headers, body), `${method} ${target}`).toBeGreaterThanOrEqual(400);
  expect(await statusOf("DELETE", digest)).toBe(403);
  expect(listing(served.storage)).toEqual(before);
});
