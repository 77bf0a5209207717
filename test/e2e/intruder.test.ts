import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { ExitCode } from "../../src/errors.js";
import { fuzz } from "./intruder/fuzz.js";
import { listing, requestText, sendRaw, statuses } from "./intruder/raw.js";
import { combinations, SMUGGLING } from "./intruder/shapes.js";
import { CREDENTIALS, DEPLOY, PASSWORD, runningContainers, USER, writeConfig } from "./stack.js";
import { useSwarm } from "./swarm.js";
import { Workspace } from "./workspace.js";

const swarm = useSwarm();
const SEED = 20_261_124;
const FUZZED = Number(process.env.HEPHAESTUS_FUZZ ?? 20_000);
const basic = (user: string, password: string) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;

let forge: Workspace;
let before: string[];
let containers: string[];

beforeAll(async () => {
  forge = await Workspace.create("walls", 5000, 8080);
  await writeConfig(forge, swarm, { registry: { delete: true } });
  await forge.hephaestus(["render"]);
  const run = await forge.hephaestus(DEPLOY, { env: CREDENTIALS });
  expect(run.exitCode, run.all).toBe(ExitCode.ok);
  const image = `docker://${forge.registry}/tools/hello:latest`;
  const push = await forge.run("skopeo", [
    ...["copy", "--dest-tls-verify=false", "--dest-creds", `${USER}:${PASSWORD}`],
    ...["--src-daemon-host", swarm.dockerHost, `docker-daemon:${swarm.images.hello}`, image],
  ]);
  expect(push.exitCode, push.all).toBe(0);
  before = listing(`${forge.folder}/data`);
  containers = await runningContainers(forge);
  expect(before.length).toBeGreaterThan(10);
});

afterAll(() => forge.destroy());

// After every attack: nothing was written or deleted, nothing broke, and it still serves.
afterEach(async () => {
  expect(listing(`${forge.folder}/data`)).toEqual(before);
  expect(await runningContainers(forge)).toEqual(containers);
  expect((await fetch(`${forge.registryUrl}/v2/tools/hello/manifests/latest`)).status).toBe(200);
});

const doors = () => ({ gateway: forge.registryPort, library: forge.uiPort });

/** Answers that need no password: the health check, the anonymous token, and redirections to nowhere new. */
const harmless = ({ method, target }: { method: string; target: string }, status: number): boolean =>
  /^(?:get|head|options)$/i.test(method) ||
  /healthz|^\*$|^\/auth\/token/.test(target) ||
  status === 301 ||
  status === 302;

describe("somebody without a password", () => {
  test("writes by no method, target or disguise", async () => {
    const requests = combinations();
    const queue = requests.flatMap((request) =>
      Object.entries(doors()).map(([door, port]) => ({ door, port, request })),
    );
    const opened: string[] = [];
    const worker = async () => {
      for (let next = queue.pop(); next; next = queue.pop()) {
        const [status = 0] = statuses(await sendRaw(next.port, requestText(next.request)));
        const { method, target, headers } = next.request;
        if (status >= 200 && status < 400 && !harmless(next.request, status)) {
          opened.push(`${next.door}: ${status} ${method} ${target} ${headers}`);
        }
      }
    };
    await Promise.all(Array.from({ length: 16 }, worker));
    console.log(`attacks: ${requests.length} requests at each of 2 doors`);
    expect(opened).toEqual([]);
  });

  test("smuggles no second request past the first", async () => {
    for (const text of SMUGGLING) {
      for (const port of Object.values(doors())) {
        const seen = statuses(await sendRaw(port, text));
        // The registry's answers to an upload that started, and to one that ended.
        expect(seen, text).not.toContain(202);
        expect(seen, text).not.toContain(201);
      }
    }
  });

  test("learns nothing about an upload, and the gateway lends its own account to nobody", async () => {
    const path = "/v2/tools/hello/blobs/uploads/7c9b1d52-0000-0000-0000-000000000000";
    for (const target of [
      path,
      `${path}?_state=x`,
      "/v2/tools/hello/blobs/%75ploads/x",
      "/v2/a/b/blobs/uploads",
    ]) {
      for (const method of ["GET", "HEAD"]) {
        for (const headers of [[], ["Authorization: Bearer anonymous"]]) {
          const answer = await sendRaw(forge.registryPort, requestText({ method, target, headers }));
          expect(statuses(answer), `${method} ${target}`).toEqual([headers.length > 0 ? 403 : 401]);
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
    const challenge = await sendRaw(
      forge.registryPort,
      requestText({ method: "GET", target: "/v2/", headers }),
    );
    expect(challenge).toContain('realm="http://localhost:5000/auth/token",service="localhost:5000"');
    for (const target of ["/v2/", "/v2", "/", "/v2/tools/hello/tags/list"]) {
      const answer = await sendRaw(forge.registryPort, requestText({ method: "GET", target, headers }));
      expect(answer.split("\r\n\r\n")[0], target).not.toContain("evil");
    }
  });

  test("finds no token and no write on the library's host, whatever the password", async () => {
    const headers = { authorization: basic(USER, PASSWORD) };
    const token = await fetch(`${forge.uiUrl}/auth/token`, { headers });
    expect(token.headers.get("content-type") ?? "").not.toContain("json");
    for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
      const { status } = await fetch(`${forge.uiUrl}/v2/tools/hello/blobs/uploads/`, { method, headers });
      expect([401, 403]).toContain(status);
    }
  });

  test(`finds no way in with ${FUZZED} mutated requests`, { timeout: 1_800_000 }, async () => {
    const started = performance.now();
    const histogram = await fuzz(Object.values(doors()), FUZZED, SEED);
    const seconds = ((performance.now() - started) / 1000).toFixed(0);
    const counts = [...histogram].sort(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`);
    console.log(`fuzzer: seed ${SEED}, ${FUZZED} requests in ${seconds} s, answers ${counts.join(", ")}`);
    expect([...histogram.values()].reduce((sum, count) => sum + count, 0)).toBe(FUZZED);
    expect(histogram.get(201) ?? 0).toBe(0);
    expect(histogram.get(202) ?? 0).toBe(0);
  });
});

test("inside the stack's network the reader writes for nobody, and the registry for no stranger", async () => {
  const filter = "label=com.docker.swarm.service.name=walls_registry-ui";
  const id = (await forge.docker("ps", "--quiet", "--filter", filter)).stdout.trim();
  const pid = (await forge.docker("inspect", "--format", "{{.State.Pid}}", id)).stdout.trim();
  const fromInside = async (service: string, method: string, path: string): Promise<number> => {
    const lookup = (await forge.docker("exec", id, "nslookup", `walls_${service}`)).stdout;
    const address = [...lookup.matchAll(/Address[^:]*: (\d+\.\d+\.\d+\.\d+)$/gm)].at(-1)?.[1] ?? "";
    const script = "const [u,m]=process.argv.slice(1);fetch(u,{method:m}).then(r=>console.log(r.status))";
    const url = `http://${address}:5000${path}`;
    return Number(
      (await forge.run("nsenter", ["-t", pid, "-n", process.execPath, "-e", script, url, method])).stdout,
    );
  };
  expect(await fromInside("reader", "GET", "/v2/tools/hello/tags/list")).toBe(200);
  for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
    for (const path of ["/v2/evil/blobs/uploads/", "/v2/tools/hello/manifests/latest"]) {
      expect(await fromInside("reader", method, path), `reader ${method} ${path}`).toBeGreaterThanOrEqual(
        400,
      );
      expect([401, 404, 405]).toContain(await fromInside("registry", method, path));
    }
  }
});

test("who guesses passwords is slowed down, and nobody else", async () => {
  const ask = (authorization: string, path = "/auth/token", more: Record<string, string> = {}) =>
    fetch(`${forge.registryUrl}${path}`, { headers: { authorization, ...more } });
  // The other tests guessed from this address too: a guesser's own first login has to wait for its turn.
  const login = async () => (await ask(basic(USER, PASSWORD))).status;
  await expect.poll(login, { timeout: 30_000, interval: 1000 }).toBe(200);

  const guesses: number[] = [];
  for (let guess = 0; guess < 28; guess += 4) {
    const path = guess % 8 === 0 ? "/auth/token" : "/v2/";
    const disguised = { "x-forwarded-for": `203.0.113.${guess}` };
    const asked = [0, 1, 2, 3].map((more) => ask(basic(USER, `guess-${guess + more}`), path, disguised));
    guesses.push(...(await Promise.all(asked)).map(({ status }) => status));
  }
  expect(guesses.filter((status) => status !== 401 && status !== 429)).toEqual([]);
  expect(guesses.slice(-4)).toEqual([429, 429, 429, 429]);

  // Who proved right goes on, by login and by Basic; who only reads never notices.
  for (const path of ["/auth/token", "/v2/", "/v2/tools/hello/tags/list"]) {
    expect((await ask(basic(USER, PASSWORD), path)).status).toBe(200);
  }
  expect((await fetch(`${forge.registryUrl}/v2/tools/hello/tags/list`)).status).toBe(200);
});
