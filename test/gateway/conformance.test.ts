/** The distribution specification's behaviour survives the gateway: the registry is asked directly and through it. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { digestOf, type Image, MANIFEST_TYPE, pushImage, startUpload } from "../e2e/attacks/image.js";
import { ask, basic, type Endpoint, request, talk } from "../e2e/attacks/raw.js";
import { PASSWORD, SECRETS, USER } from "../e2e/stack.js";
import { basicValue } from "../support/basic.js";
import { theLogHoldsNoCredentialAndNoQuery } from "./attacks/edgeProbes.js";
import { ANONYMOUS, OCI, RIGHT } from "./attacks/site.js";
import { changed } from "./gateways.js";
import { place, recorded, type Step, seen } from "./recording.js";
import { processesOf, type Served, serve, serveGateway } from "./served.js";

/** The rendered limits of an upload, which hold between two pieces of it; those of the hasty gateway are this short. */
const UPLOAD_LIMIT = /(?<=(?:client_body|proxy_read|proxy_send)_timeout )900s;/g;
const HASTY_SECONDS = 4;
let served: Served;
let registry: Endpoint;
let gateway: Endpoint;
let slow: Promise<number[][]>;

const push = (repository: string, tag = "latest"): Promise<Image> =>
  pushImage(gateway, RIGHT, repository, tag);

beforeAll(async () => {
  served = await serve({ registry: { delete: true } }, { repository: "zoo" });
  ({ registry } = served.stack);
  gateway = served.endpoint;
  for (const tag of ["a", "b", "c", "d", "e"]) await push("tools/hello", tag);
  await push("tools/anvil");
  slow = uploadSlowly();
  // Judged in its test; until then its failure is nobody's.
  slow.catch(() => {});
});

afterAll(() => served?.stack.stop());

/** Does the same at both endpoints, each with a repository of its own, and compares what was seen. */
async function compare(
  work: (step: Step, repository: string) => Promise<void>,
): Promise<(number | undefined)[]> {
  const [direct = [], through = []] = await Promise.all(
    [registry, gateway].map((endpoint, index) => recorded(endpoint, `through/${index}`, work)),
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
      const { manifest, manifestDigest, blobDigest } = await push("tools/hello", "a");
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
    const { manifestDigest, blobDigest } = await push("tools/hello", "a");
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
      ["GET", "/v2/", []],
    ];
    for (const [method, path, headers] of reads) {
      const [direct, user, anybody] = await Promise.all(
        [registry, gateway, gateway].map(async (endpoint, index) => {
          const answer = await ask(endpoint, method, path, [index < 2 ? RIGHT : ANONYMOUS, ...headers]);
          return seen(answer, endpoint, "tools/hello");
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
    const { status, headers, body } = await ask(gateway, "POST", "/v2/tools/hello/tags/list", [RIGHT]);
    expect([status, headers.allow]).toEqual([405, "GET"]);
    expect(JSON.parse(body)).toMatchObject({ errors: [{ code: "UNSUPPORTED" }] });
  });
});

test("every page of a list is reached by its Link", async () => {
  const tags: string[] = [];
  let next: string | undefined = "/v2/tools/hello/tags/list?n=2";
  while (next !== undefined) {
    const { body, headers } = await ask(gateway, "GET", next);
    tags.push(...(JSON.parse(body) as { tags: string[] }).tags);
    next = /<([^>]*)>; rel="next"/.exec(headers.link ?? "")?.[1];
  }
  expect(tags.sort()).toEqual(["a", "b", "c", "d", "e"]);
});

test("a client that is gone before its password is checked leaves no fault of the program in the log", async () => {
  for (let times = 0; times < 20; times++) {
    const socket = connect(gateway.to as { host: string; port: number }).on("error", () => {});
    socket.write(request(gateway, "GET", "/v2/", [basic("smith", `gone-${times}`)]));
    await sleep(times % 5);
    socket.resetAndDestroy();
  }
  // Who asks now is answered after them.
  await ask(gateway, "GET", "/v2/", [basic("smith", "late")]);
  expect(readFileSync(`${served.home}/error.log`, "utf8")).not.toContain("js unhandled rejection");
});

test("a connection serves one request after the other", async () => {
  const endpoint = gateway;
  const get = (last: boolean) =>
    request(endpoint, "GET", "/v2/tools/hello/tags/list", last ? [] : ["Connection: keep-alive"]);
  const { statuses: answered } = await talk(endpoint, get(false), {
    later: [
      { afterMs: 300, bytes: get(false) + get(false) },
      { afterMs: 600, bytes: get(true) },
    ],
  });
  expect(answered).toEqual([200, 200, 200, 200]);
});

/** Pieces to a gateway whose limits are short: without a pause that is longer than they are, and with one. */
async function uploadSlowly(): Promise<number[][]> {
  const { endpoint } = await serveGateway(
    served.stack,
    served.image,
    changed("config", UPLOAD_LIMIT, `${HASTY_SECONDS}s;`),
  );
  const upload = async (pauses: readonly number[]) => {
    const location = await startUpload(endpoint, RIGHT, "tools/hello");
    const pieces = pauses.map((_, index) => `piece ${index}\n`.padEnd(1000, "."));
    const all = pieces.join("");
    const length = `Content-Length: ${all.length}`;
    const head = request(endpoint, "PUT", `${location}&digest=${digestOf(all)}`, [RIGHT, length]);
    let seconds = 0;
    const later = pieces.map((bytes, index) => {
      seconds += pauses[index] ?? 0;
      return { afterMs: 1000 * seconds, bytes };
    });
    return (await talk(endpoint, head, { silenceMs: 30_000, later })).statuses;
  };
  return Promise.all([upload(Array(9).fill(1)), upload([1, 2 * HASTY_SECONDS])]);
}

/** Bytes that the gateway holds on disk: nginx removes the name of such a file at once, so no folder shows it. */
async function bytesHeld(home: string): Promise<number> {
  const open = (await processesOf(home)).match(/\d+/g)?.flatMap((process) => {
    const folder = `/proc/${process}/fd`;
    return readdirSync(folder).map((name) => `${folder}/${name}`);
  });
  const held = open?.filter((path) => readlinkSync(path).startsWith(`${home}/tmp/`)) ?? [];
  return held.reduce((sum, path) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0), 0);
}

test("a blob of 300 MB streams through, and nothing of it lies in the gateway", async () => {
  const piece = Buffer.alloc(1 << 20, "forge");
  const pieces = 300;
  const hash = createHash("sha256");
  for (let index = 0; index < pieces; index++) {
    hash.update(piece);
    // The pieces of the slow upload have their times meanwhile.
    await setImmediate();
  }
  const path = await startUpload(gateway, RIGHT, "tools/large");
  const upload = httpRequest({
    ...gateway.to,
    method: "PUT",
    path: `${path}&digest=sha256:${hash.digest("hex")}`,
    headers: { authorization: basicValue(USER, PASSWORD), "content-length": piece.length * pieces },
  });
  const answer = once(upload, "response") as Promise<[{ statusCode: number; resume(): void }]>;
  const kilobytes: number[] = [];
  for (let index = 0; index < pieces; index++) {
    if (!upload.write(piece)) await once(upload, "drain");
    if (index % 10 === 0) kilobytes.push((await bytesHeld(served.home)) / 1024);
  }
  upload.end();
  const [{ statusCode }] = await answer;
  expect(statusCode).toBe(201);
  expect(kilobytes).toHaveLength(pieces / 10);
  expect(Math.max(...kilobytes)).toBeLessThan(1024);
});

test("an upload may take any time; a pause in it has a limit, which is a quarter of an hour", async () => {
  const [steady, paused] = await slow;
  expect(steady).toEqual([201]);
  expect(paused).not.toContain(201);
  expect(served.stack.file("gateway/nginx.conf").match(UPLOAD_LIMIT)).toHaveLength(3);
});

test("the gateway's log holds no token, no credential and no query", async () => {
  await theLogHoldsNoCredentialAndNoQuery(served);
  const text = await served.log();
  expect(text).toContain("PUT /v2/tools/large/blobs/uploads/");
  const own = ["gateway", "htpasswd"].map((name) =>
    readFileSync(`${served.stack.folder}/secrets/${name}`, "utf8"),
  );
  const hidden = own.flatMap((secret) => secret.match(/[A-Za-z0-9+/=]{40,}|\$2[aby]\$\S+/g) ?? []);
  expect(hidden.length).toBeGreaterThanOrEqual(4);
  for (const secret of [...SECRETS, ...hidden, "_state=", "digest=", "Bearer", "Basic"])
    expect(text.includes(secret), `the log holds ${secret.slice(0, 8)}`).toBe(false);
});
