import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { OCI } from "../gateway/attacks/site.js";
import { ask } from "./attacks/raw.js";
import { Target } from "./attacks/target.js";
import { attack, expectRefused, storing, writing } from "./intruder/attack.js";
import { fuzzed } from "./intruder/fuzz.js";
import { listing } from "./intruder/raw.js";
import { combinations, SMUGGLING } from "./intruder/shapes.js";
import { PASSWORD, runningContainers, USER } from "./stack.js";
import { useSwarm } from "./swarm.js";
import type { Workspace } from "./workspace.js";

const swarm = useSwarm();
const SEED = 20_261_124;
const FUZZED = Number(process.env.HEPHAESTUS_FUZZ ?? 20_000);
const basic = (user: string, password: string) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;

let target: Target;
let forge: Workspace;
let before: string[];
let containers: string[];

beforeAll(async () => {
  target = await Target.deploy("walls", [5000, 8080], swarm, { registry: { delete: true } });
  forge = target.workspace;
  await target.pushImage("tools/hello");
  before = listing(target.storage);
  containers = await runningContainers(forge);
  expect(before.length).toBeGreaterThan(10);
});

afterAll(() => target?.destroy());

// After every attack: nothing was written or deleted, nothing broke, and it still serves.
afterEach(async () => {
  expect(listing(target.storage)).toEqual(before);
  expect(await runningContainers(forge)).toEqual(containers);
  expect((await ask(target.gateway, "GET", "/v2/tools/hello/manifests/latest", [OCI])).status).toBe(200);
});

const doors = () => [target.gateway, target.ui];

describe("somebody without a password", () => {
  test("writes by no method, target or disguise", async () => {
    expectRefused(await attack(doors(), combinations().map(writing)), 0.6);
  });

  test("smuggles no second request past the first", async () => {
    const { answers, ...faults } = await attack(doors(), SMUGGLING.map(storing));
    expect(faults).toEqual({ opened: [], unanswered: [], failed: [] });
    // Refused for its form, or answered like the read that it is; then the upload is a request of its own, without a password.
    expect([...answers.keys()].sort()).toEqual([200, 400, 501]);
  });

  test("learns nothing about an upload, and the gateway lends its own account to nobody", async () => {
    const upload = "/v2/tools/hello/blobs/uploads/7c9b1d52-0000-0000-0000-000000000000";
    for (const path of [
      upload,
      `${upload}?_state=x`,
      "/v2/tools/hello/blobs/%75ploads/x",
      "/v2/a/b/blobs/uploads",
    ]) {
      for (const method of ["GET", "HEAD"]) {
        for (const headers of [[], ["Authorization: Bearer anonymous"]]) {
          const { status } = await ask(target.gateway, method, path, headers);
          expect(status, `${method} ${path}`).toBe(headers.length > 0 ? 403 : 401);
        }
      }
    }
  });

  test("moves no address that the gateway names", async () => {
    const headers = [
      "Host: evil.example",
      "X-Forwarded-Host: evil.example",
      "Forwarded: host=evil.example;proto=https",
    ];
    const challenge = await ask(target.gateway, "GET", "/v2/", headers);
    expect(challenge.headers["www-authenticate"]).toBe(
      'Bearer realm="http://localhost:5000/auth/token",service="localhost:5000"',
    );
    const found = { "/v2/": 401, "/v2": 301, "/": 302, "/v2/tools/hello/tags/list": 200 };
    for (const [path, status] of Object.entries(found)) {
      const answer = await ask(target.gateway, "GET", path, headers);
      expect(answer.status, path).toBe(status);
      expect(JSON.stringify(answer.headers), path).not.toContain("evil");
    }
  });

  test("finds no token and no write on the library's host, whatever the password", async () => {
    const headers = { authorization: basic(USER, PASSWORD) };
    const token = await fetch(`${forge.uiUrl}/auth/token`, { headers });
    expect(token.status).toBe(404);
    expect(token.headers.get("content-type")).toBe("text/html");
    for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
      const { status } = await fetch(`${forge.uiUrl}/v2/tools/hello/blobs/uploads/`, { method, headers });
      expect([401, 403]).toContain(status);
    }
  });

  test(`finds no way in with ${FUZZED} mutated requests`, { timeout: 1_800_000 }, async () => {
    const started = performance.now();
    const outcome = await attack(doors(), fuzzed(FUZZED / doors().length, SEED));
    const seconds = ((performance.now() - started) / 1000).toFixed(0);
    const counts = [...outcome.answers]
      .sort(([a], [b]) => a - b)
      .map(([status, count]) => `${status}: ${count}`);
    console.log(`fuzzer: seed ${SEED}, ${FUZZED} requests in ${seconds} s, answers ${counts.join(", ")}`);
    expectRefused(outcome, 0.3);
  });
});

test("inside the stack's network the reader writes for nobody, and the registry for no stranger", async () => {
  const { registry, reader } = await target.inside();
  expect((await ask(reader, "GET", "/v2/tools/hello/tags/list")).status).toBe(200);
  for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
    for (const path of ["/v2/evil/blobs/uploads/", "/v2/tools/hello/manifests/latest"]) {
      const what = `${method} ${path}`;
      expect((await ask(reader, method, path)).status, `reader ${what}`).toBeGreaterThanOrEqual(400);
      expect([401, 404, 405], `registry ${what}`).toContain((await ask(registry, method, path)).status);
    }
  }
});

test("who guesses passwords is slowed down, and nobody else", async () => {
  const enter = (authorization: string, path = "/auth/token", more: Record<string, string> = {}) =>
    fetch(`${forge.registryUrl}${path}`, { headers: { authorization, ...more } });
  // The other tests guessed from this address too: a guesser's own first login has to wait for its turn.
  const login = async () => (await enter(basic(USER, PASSWORD))).status;
  await expect.poll(login, { timeout: 30_000, interval: 1000 }).toBe(200);

  const guesses: number[] = [];
  for (let guess = 0; guess < 28; guess += 4) {
    const path = guess % 8 === 0 ? "/auth/token" : "/v2/";
    const disguised = { "x-forwarded-for": `203.0.113.${guess}` };
    const asked = [0, 1, 2, 3].map((more) => enter(basic(USER, `guess-${guess + more}`), path, disguised));
    guesses.push(...(await Promise.all(asked)).map(({ status }) => status));
  }
  expect(guesses.filter((status) => status !== 401 && status !== 429)).toEqual([]);
  expect(guesses.slice(-4)).toEqual([429, 429, 429, 429]);

  // Who proved right goes on, by login and by Basic; who only reads never notices.
  for (const path of ["/auth/token", "/v2/", "/v2/tools/hello/tags/list"]) {
    expect((await enter(basic(USER, PASSWORD), path)).status).toBe(200);
  }
  expect((await fetch(`${forge.registryUrl}/v2/tools/hello/tags/list`)).status).toBe(200);
});
