import { afterAll, beforeAll, expect, test } from "vitest";
import { parseAccess } from "../../src/registry/accessLog.js";
import type { Image } from "./attacks/image.js";
import { Target } from "./attacks/target.js";
import { type Attack, attack, expectRefused } from "./intruder/attack.js";
import { listing, type RawRequest, requestText } from "./intruder/raw.js";
import { combinations, DISGUISES } from "./intruder/shapes.js";
import { PASSWORD, USER } from "./stack.js";
import { useSwarm } from "./swarm.js";

/** `pull: authenticated`: who has no password reads nothing, by no shape of a request. */

const swarm = useSwarm();
let target: Target;
let image: Image;
let before: string[];

beforeAll(async () => {
  target = await Target.deploy("private", [5000, 8080], swarm, {
    registry: { pull: "authenticated", delete: true },
    ui: { enabled: false },
    gateway: { log: "json" },
  });
  image = await target.pushImage("tools/hello");
  before = listing(target.storage);
});

afterAll(() => target?.destroy());

/** Ways to ask for what is there. */
const reads = () =>
  [
    "/v2/_catalog",
    "/v2/tools/hello/tags/list",
    "/v2/tools/hello/manifests/latest",
    `/v2/tools/hello/manifests/${image.manifestDigest}`,
    `/v2/tools/hello/blobs/${image.blobDigest}`,
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
  expectRefused(await attack([target.gateway], requests.map(reading)), 0.6);
});

test("nobody writes without a password, and nobody gets a token", async () => {
  expectRefused(await attack([target.gateway], combinations().map(reading)), 0.6);
  expect(listing(target.storage)).toEqual(before);
});

test("who has one reads", async () => {
  const authorization = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString("base64")}`;
  // The attacks guessed from this address too.
  const tags = async () =>
    (await fetch(`${target.workspace.registryUrl}/v2/tools/hello/tags/list`, { headers: { authorization } }))
      .status;
  await expect.poll(tags, { timeout: 60_000, interval: 3000 }).toBe(200);
});

test("every request of all these is one line of JSON in the log, which says the same as `audit`", async () => {
  const lines = (await target.log("gateway")).split("\n").filter((line) => line.startsWith("{"));
  expect(lines.length).toBeGreaterThan(4000);
  for (const line of lines) {
    const { method, action, repository, user, status } = JSON.parse(line);
    // What is no HTTP has no method.
    if (method === "") continue;
    const access = parseAccess(line);
    expect([access?.action ?? "", access?.repository ?? "", access?.user ?? "", access?.status]).toEqual([
      action,
      repository,
      user,
      status,
    ]);
  }
  const run = await target.workspace.hephaestus([
    "audit",
    "--json",
    "--all",
    "--action",
    "list",
    "--user",
    USER,
  ]);
  expect(run.exitCode, run.all).toBe(0);
  const { events } = JSON.parse(run.stdout);
  expect(events.at(-1)).toMatchObject({ user: USER, action: "list", repository: "tools/hello", status: 200 });
});
