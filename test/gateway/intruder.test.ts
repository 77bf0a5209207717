/** Who has no password writes nothing, by no shape of a request, at the gateway and at the UI. */
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Endpoint } from "../e2e/attacks/raw.js";
import { attack, expectRefused, storing, writing } from "../e2e/intruder/attack.js";
import { fuzzed } from "../e2e/intruder/fuzz.js";
import { listing } from "../e2e/intruder/raw.js";
import { combinations, SMUGGLING } from "../e2e/intruder/shapes.js";
import { CREDENTIALS } from "../e2e/stack.js";
import { ask, OCI, RIGHT, wrong } from "./attacks/site.js";
import { serveLibrary } from "./library.js";
import { PlainStack } from "./plainStack.js";
import { processesOf, type Served, serve, serveGateway } from "./served.js";

const SEED = 20_261_124;
const FUZZED = Number(process.env.HEPHAESTUS_FUZZ ?? 20_000);

let served: Served;
let ui: Endpoint;
let homes: string[];
let before: string[];
let processes: string[];

const running = () => Promise.all(homes.map(processesOf));

beforeAll(async () => {
  served = await serve({ registry: { delete: true } });
  const library = await serveLibrary(served);
  ui = library.endpoint;
  homes = [served.home, library.home];
  before = listing(served.storage);
  processes = await running();
  expect(before.length).toBeGreaterThan(10);
});

afterAll(() => served?.stack.stop());

// After every attack: nothing was written or deleted, nothing broke, and it still serves.
afterEach(async () => {
  expect(listing(served.storage)).toEqual(before);
  expect(await running()).toEqual(processes);
  expect((await ask(served.endpoint, "GET", "/v2/tools/hello/manifests/latest", [OCI])).status).toBe(200);
});

const endpoints = () => [served.endpoint, ui];

describe("somebody without a password", () => {
  test("writes by no method, target or disguise", async () => {
    expectRefused(await attack(endpoints(), combinations().map(writing)), 0.6);
  });

  test("smuggles no second request past the first", async () => {
    const { answers, ...faults } = await attack(endpoints(), SMUGGLING.map(storing));
    expect(faults).toEqual({ opened: [], unanswered: [], failed: [] });
    // Refused for its form, or answered like the read that it is; then the upload is a request of its own, without a password.
    expect([...answers.keys()].sort()).toEqual([200, 400, 501]);
  });

  test("learns nothing about an upload, and the gateway lends its own account to nobody", async () => {
    const upload = "/v2/tools/hello/blobs/uploads/7c9b1d52-0000-0000-0000-000000000000";
    for (const path of [upload, `${upload}?_state=x`, "/v2/a/b/blobs/uploads/"]) {
      for (const method of ["GET", "HEAD"]) {
        for (const headers of [[], ["Authorization: Bearer anonymous"]]) {
          const { status } = await ask(served.endpoint, method, path, headers);
          expect(status, `${method} ${path}`).toBe(headers.length > 0 ? 403 : 401);
        }
      }
    }
    // What is written in another way names nothing.
    for (const path of ["/v2/tools/hello/blobs/%75ploads/x", "/v2/a/b/blobs/uploads"])
      expect((await ask(served.endpoint, "GET", path)).status, path).toBe(404);
  });

  test("moves no address that the gateway names", async () => {
    const headers = [
      "Host: evil.example",
      "X-Forwarded-Host: evil.example",
      "Forwarded: host=evil.example;proto=https",
    ];
    const challenge = await ask(served.endpoint, "GET", "/v2/", headers);
    expect(challenge.headers["www-authenticate"]).toBe(
      'Bearer realm="http://localhost:5000/auth/token",service="localhost:5000"',
    );
    const found = { "/v2/": 401, "/v2": 301, "/": 302, "/v2/tools/hello/tags/list": 200 };
    for (const [path, status] of Object.entries(found)) {
      const answer = await ask(served.endpoint, "GET", path, headers);
      expect(answer.status, path).toBe(status);
      expect(JSON.stringify(answer.headers), path).not.toContain("evil");
    }
  });

  test("finds no token and no write on the library's host, whatever the password", async () => {
    const token = await ask(ui, "GET", "/auth/token", [RIGHT]);
    expect(token.status).toBe(404);
    expect(token.headers["content-type"]).toBe("text/html");
    for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
      const { status } = await ask(ui, method, "/v2/tools/hello/blobs/uploads/", [RIGHT]);
      expect([401, 403]).toContain(status);
    }
  });

  test(`finds no way in with ${FUZZED} mutated requests`, { timeout: 1_800_000 }, async () => {
    const started = performance.now();
    const outcome = await attack(endpoints(), fuzzed(FUZZED / endpoints().length, SEED));
    const seconds = ((performance.now() - started) / 1000).toFixed(0);
    const counts = [...outcome.answers]
      .sort(([a], [b]) => a - b)
      .map(([status, count]) => `${status}: ${count}`);
    console.log(`fuzzer: seed ${SEED}, ${FUZZED} requests in ${seconds} s, answers ${counts.join(", ")}`);
    expectRefused(outcome, 0.3);
  });
});

test("inside the stack's network the reader writes for nobody, and the registry for no stranger", async () => {
  const stack = await PlainStack.start({ gateway: { cache: "1G" } }, CREDENTIALS.REGISTRY_HTPASSWD);
  onTestFinished(() => stack.stop());
  const { registry, reader } = stack;
  expect((await ask(reader, "GET", "/v2/")).status).toBe(200);
  for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
    for (const path of ["/v2/evil/blobs/uploads/", "/v2/tools/hello/manifests/latest"]) {
      const what = `${method} ${path}`;
      expect((await ask(reader, method, path)).status, `reader ${what}`).toBeGreaterThanOrEqual(400);
      expect([401, 404, 405], `registry ${what}`).toContain((await ask(registry, method, path)).status);
    }
  }
});

test("who guesses passwords is slowed down, and nobody else", async () => {
  // At the other one the tests before have guessed from this address too.
  const { endpoint } = await serveGateway(served.stack, served.image);
  const enter = async (authorization: string, path = "/auth/token", ...more: string[]) =>
    (await ask(endpoint, "GET", path, [authorization, ...more])).status;
  expect(await enter(RIGHT)).toBe(200);

  const guesses: number[] = [];
  for (let guess = 0; guess < 28; guess += 4) {
    const path = guess % 8 === 0 ? "/auth/token" : "/v2/";
    const disguise = `X-Forwarded-For: 203.0.113.${guess}`;
    guesses.push(...(await Promise.all([0, 1, 2, 3].map(() => enter(wrong(), path, disguise)))));
  }
  expect(guesses.filter((status) => status !== 401 && status !== 429)).toEqual([]);
  expect(guesses.slice(-4)).toEqual([429, 429, 429, 429]);

  // Who proved right goes on, by login and by Basic; who only reads never notices.
  for (const path of ["/auth/token", "/v2/", "/v2/tools/hello/tags/list"])
    expect(await enter(RIGHT, path)).toBe(200);
  expect((await ask(endpoint, "GET", "/v2/tools/hello/tags/list")).status).toBe(200);
});
