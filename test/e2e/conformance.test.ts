/** The distribution specification's behaviour survives the gateway: the registry is asked directly and through it. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { theLogHoldsNoCredentialAndNoQuery } from "../gateway/attacks/edgeProbes.js";
import { ANONYMOUS, OCI, RIGHT } from "../gateway/attacks/site.js";
import { digestOf, MANIFEST_TYPE, startUpload } from "./attacks/image.js";
import { ask, type Door, request, talk } from "./attacks/raw.js";
import { place, recorded, type Step, seen } from "./attacks/recording.js";
import { Target } from "./attacks/target.js";
import { SECRETS } from "./stack.js";
import { useSwarm } from "./swarm.js";

const swarm = useSwarm();
let target: Target;
let registry: Door;
let slow: Promise<unknown>;

beforeAll(async () => {
  target = await Target.deploy("same", [5000, 8080], swarm, { registry: { delete: true } });
  registry = (await target.inside()).registry;
  for (const tag of ["a", "b", "c", "d", "e"]) await target.pushImage("tools/hello", tag);
  for (const name of ["tools/anvil", "zoo"]) await target.pushImage(name);
  slow = uploadSlowly();
  // Judged in its test; until then its failure is nobody's.
  slow.catch(() => {});
});

afterAll(() => target.destroy());

/** Does the same at both doors, each with a repository of its own, and compares what was seen. */
async function compare(
  work: (step: Step, repository: string) => Promise<void>,
): Promise<(number | undefined)[]> {
  const [direct = [], through = []] = await Promise.all(
    [registry, target.gateway].map((door, index) => recorded(door, `through/${index}`, work)),
  );
  expect(through).toEqual(direct);
  return through.map(({ status }) => status);
}

describe("the gateway answers as the registry does", () => {
  test("to monolithic uploads", async () => {
    const statuses = await compare(async (step, repository) => {
      const start = await step("POST", `/v2/${repository}/blobs/uploads/`);
      await step("PUT", `${place(start)}&digest=${digestOf("one")}`, [], "one");
      const single = await step(
        "POST",
        `/v2/${repository}/blobs/uploads/?digest=${digestOf("two")}`,
        [],
        "two",
      );
      if (single.status === 202) await step("DELETE", place(single));
      const wrong = await step("POST", `/v2/${repository}/blobs/uploads/`);
      await step("PUT", `${place(wrong)}&digest=${digestOf("three")}`, [], "four");
      await step("HEAD", `/v2/${repository}/blobs/${digestOf("one")}`);
    });
    expect(statuses).toEqual([202, 201, 202, 204, 202, 400, 200]);
  });

  test("to uploads in chunks, their status, and their end", async () => {
    const statuses = await compare(async (step, repository) => {
      const stream = ["Content-Type: application/octet-stream"];
      const start = await step("POST", `/v2/${repository}/blobs/uploads/`);
      const first = await step("PATCH", place(start), [...stream, "Content-Range: 0-4"], "first");
      await step("GET", place(first));
      const second = await step("PATCH", place(first), [...stream, "Content-Range: 5-10"], "second");
      const chunked = [...stream, "Transfer-Encoding: chunked"];
      const third = await step("PATCH", place(second), chunked, "5\r\nthird\r\n0\r\n\r\n");
      await step("PUT", `${place(third)}&digest=${digestOf("firstsecondthird")}`);
      await step("GET", `/v2/${repository}/blobs/${digestOf("firstsecondthird")}`);
      const cut = await step("POST", `/v2/${repository}/blobs/uploads/`);
      await step("DELETE", place(cut));
      await step("GET", place(cut));
      await step("PATCH", place(cut), stream, "late");
    });
    expect(statuses.slice(0, 8)).toEqual([202, 202, 204, 202, 202, 201, 200, 202]);
  });

  test("to mounts, manifests, and deletion", async () => {
    const statuses = await compare(async (step, repository) => {
      const type = [`Content-Type: ${MANIFEST_TYPE}`];
      const { manifest, manifestDigest, blobDigest } = await target.pushImage("tools/hello", "a");
      const { config } = JSON.parse(manifest) as { config: { digest: string } };
      const mount = `/v2/${repository}/blobs/uploads/?from=tools/hello&mount=`;
      for (const digest of [blobDigest, config.digest]) await step("POST", mount + digest);
      const missing = await step("POST", mount + digestOf("nothing"));
      await step("DELETE", place(missing));
      for (const reference of ["x", "y", manifestDigest])
        await step("PUT", `/v2/${repository}/manifests/${reference}`, type, manifest);
      await step("PUT", `/v2/${repository}/manifests/z`, type, "{}");
      await step("PUT", `/v2/${repository}/manifests/${digestOf("z")}`, type, manifest);
      for (const reference of ["x", manifestDigest, "missing", digestOf("missing")])
        for (const method of ["GET", "HEAD"])
          await step(method, `/v2/${repository}/manifests/${reference}`, [OCI]);
      await step("GET", `/v2/${repository}/manifests/x`, [OCI, `If-None-Match: "${manifestDigest}"`]);
      await step("DELETE", `/v2/${repository}/manifests/x`);
      for (let times = 0; times < 2; times++)
        await step("DELETE", `/v2/${repository}/manifests/${manifestDigest}`);
      await step("HEAD", `/v2/${repository}/manifests/${manifestDigest}`, [OCI]);
      for (let times = 0; times < 2; times++) await step("DELETE", `/v2/${repository}/blobs/${blobDigest}`);
      await step("HEAD", `/v2/${repository}/blobs/${blobDigest}`);
    });
    expect(statuses.slice(0, 7)).toEqual([201, 201, 202, 204, 201, 201, 201]);
    expect(statuses.slice(-7)).toEqual(expect.arrayContaining([202, 404]));
  });

  test("to reads of every kind, for users and for anybody", async () => {
    // It would appear in the catalog meanwhile.
    await slow.catch(() => {});
    const { manifestDigest, blobDigest } = await target.pushImage("tools/hello", "a");
    const base = "/v2/tools/hello";
    const blob = `${base}/blobs/${blobDigest}`;
    const reads: [string, string, string[]][] = [
      ...["", "?n=2", "?n=2&last=b", "?n=0", "?n=-1", "?n=x", "?last=c", "?n=100"].flatMap(
        (query): [string, string, string[]][] => [
          ["GET", `${base}/tags/list${query}`, []],
          ["GET", `/v2/_catalog${query}`, []],
        ],
      ),
      ...["bytes=0-3", "bytes=5-", "bytes=-4", "bytes=0-1,3-4", "bytes=900-", "lines=1"].map(
        (range): [string, string, string[]] => ["GET", blob, [`Range: ${range}`]],
      ),
      ...[
        blob,
        `${base}/blobs/${digestOf("missing")}`,
        `${base}/manifests/a`,
        `${base}/manifests/missing`,
      ].flatMap((path): [string, string, string[]][] => [
        ["GET", path, [OCI]],
        ["HEAD", path, [OCI]],
        ["GET", path, []],
      ]),
      ["GET", blob, [`If-None-Match: "${blobDigest}"`]],
      ["HEAD", `${base}/tags/list`, []],
      ["GET", `${base}/referrers/${manifestDigest}`, []],
      ["GET", "/v2/nothing/here/tags/list", []],
      ["GET", "/v2/UPPER/manifests/x", []],
      ["GET", `${base}/tags/list/`, []],
      ["GET", "/v2/", []],
    ];
    for (const [method, path, headers] of reads) {
      const [direct, user, anybody] = await Promise.all(
        [registry, target.gateway, target.gateway].map(async (door, index) => {
          const answer = await ask(door, method, path, [index < 2 ? RIGHT : ANONYMOUS, ...headers]);
          return seen(answer, door, "tools/hello");
        }),
      );
      expect(user, `${method} ${path} ${headers}`).toEqual(direct);
      expect(anybody, `${method} ${path} ${headers}`).toEqual(direct);
    }
  });

  test("to methods that it does not have", async () => {
    await compare(async (step) => {
      for (const path of ["/v2/tools/hello/manifests/a", "/v2/tools/hello/tags/list", "/v2/_catalog", "/v2/"])
        for (const method of ["OPTIONS", "POST", "PATCH", "PROPFIND"]) await step(method, path);
    });
  });
});

test("every page of a list is reached by its Link", async () => {
  const tags: string[] = [];
  let next: string | undefined = "/v2/tools/hello/tags/list?n=2";
  while (next !== undefined) {
    const { body, headers } = await ask(target.gateway, "GET", next);
    tags.push(...(JSON.parse(body) as { tags: string[] }).tags);
    next = /<([^>]*)>; rel="next"/.exec(headers.link ?? "")?.[1];
  }
  expect(tags.sort()).toEqual(["a", "b", "c", "d", "e"]);
});

test("a connection serves one request after the other", async () => {
  const door = target.gateway;
  const get = (last: boolean) =>
    request(door, "GET", "/v2/tools/hello/tags/list", last ? [] : ["Connection: keep-alive"]);
  const { statuses: answered } = await talk(door, get(false), {
    later: [
      { afterMs: 300, bytes: get(false) + get(false) },
      { afterMs: 600, bytes: get(true) },
    ],
  });
  expect(answered).toEqual([200, 200, 200, 200]);
});

test("nginx may open a file for each of its connections, whatever the engine's default is", async () => {
  for (const service of ["gateway", "registry-ui"] as const) {
    const { id } = await target.container(service);
    const all = "for p in /proc/[0-9]*; do if grep -q nginx $p/comm; then cat $p/limits; fi; done";
    const limits = await target.docker("exec", id, "sh", "-c", all);
    const found = [...limits.matchAll(/^Max open files +(\d+) +(\d+)/gm)].map(([, soft, hard]) => [
      soft,
      hard,
    ]);
    expect(found.length).toBeGreaterThan(1);
    expect(new Set(found.flat())).toEqual(new Set(["8192"]));
  }
  const connections = /worker_connections (\d+);/.exec(
    await readFile(`${target.workspace.folder}/gateway/nginx.conf`, "utf8"),
  );
  expect(Number(connections?.[1]) * 2).toBeLessThanOrEqual(8192);
});

/** 20 pieces in 20 seconds. */
async function uploadSlowly(): Promise<number[]> {
  const door = target.gateway;
  const location = await startUpload(door, RIGHT, "tools/slow");
  const pieces = Array.from({ length: 20 }, (_, index) => `piece ${index}\n`.padEnd(1000, "."));
  const all = pieces.join("");
  const head = request(door, "PUT", `${location}&digest=${digestOf(all)}`, [
    RIGHT,
    `Content-Length: ${all.length}`,
  ]);
  const later = pieces.map((bytes, index) => ({ afterMs: 1000 * (index + 1), bytes }));
  return (await talk(door, head, { silenceMs: 30_000, later })).statuses;
}

test("a blob of 1.5 GB streams through, and nothing of it lies in the gateway", async () => {
  const door = target.gateway;
  const { id } = await target.container("gateway");
  const piece = Buffer.alloc(1 << 20, "forge");
  const pieces = 1536;
  const hash = createHash("sha256");
  for (let index = 0; index < pieces; index++) hash.update(piece);
  const location = await startUpload(door, RIGHT, "tools/large");
  const upload = httpRequest(`http://localhost:5000${location}&digest=sha256:${hash.digest("hex")}`, {
    method: "PUT",
    headers: { authorization: RIGHT.slice(15), "content-length": piece.length * pieces },
  });
  const answer = once(upload, "response") as Promise<[{ statusCode: number; resume(): void }]>;
  const kilobytes: number[] = [];
  let sent = false;
  const watching = (async () => {
    while (!sent) {
      kilobytes.push(Number.parseInt(await target.docker("exec", id, "du", "-sk", "/tmp"), 10));
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  })();
  const started = performance.now();
  for (let index = 0; index < pieces; index++) if (!upload.write(piece)) await once(upload, "drain");
  upload.end();
  const [{ statusCode }] = await answer;
  sent = true;
  await watching;
  const seconds = (performance.now() - started) / 1000;
  console.log(
    `1.5 GB in ${seconds.toFixed(1)} s; the gateway's /tmp held at most ${Math.max(...kilobytes)} kB (${kilobytes.length} looks)`,
  );
  expect(statusCode).toBe(201);
  expect(kilobytes.length).toBeGreaterThan(2);
  expect(Math.max(...kilobytes)).toBeLessThan(1024);
});

test("an upload that takes 20 seconds is not cut", async () => {
  expect(await slow).toEqual([201]);
});

test("the gateway's log holds no token, no credential and no query", async () => {
  const log = () => target.log("gateway");
  const image = await target.pushImage("tools/hello", "a");
  await theLogHoldsNoCredentialAndNoQuery({
    door: target.gateway,
    image,
    storage: target.storage,
    machineAuthorization: "",
    log,
  });
  const text = await log();
  expect(text).toContain("PUT /v2/tools/large/blobs/uploads/");
  for (const secret of [...SECRETS, ...(await target.secrets()), "_state=", "digest=", "Bearer", "Basic"])
    expect(text.includes(secret), `the log holds ${secret.slice(0, 8)}`).toBe(false);
});
