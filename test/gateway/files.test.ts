/** A gateway that reads the files of the registry says what the registry says, for both lines of the registry. */
import { existsSync } from "node:fs";
import { symlink, truncate, unlink, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { digestOf, type Image, MANIFEST_TYPE, putManifest } from "../e2e/attacks/image.js";
import { type Answer, ask, type Endpoint } from "../e2e/attacks/raw.js";
import { RIGHT } from "./attacks/site.js";
import { changed } from "./gateways.js";
import { REGISTRY_3 } from "./plainStack.js";
import { type Served, serve, serveGateway } from "./served.js";

const INDEX = "application/vnd.oci.image.index.v1+json";
const DOCKER = "application/vnd.docker.distribution.manifest.v2+json";
const TYPES = `Accept: ${MANIFEST_TYPE}, ${INDEX}, ${DOCKER}`;
const LINES = [
  { line: 2, registry: {} },
  { line: 3, registry: { image: "registry:3.1.2" } },
];
/** Of a server, a connection or a moment. */
const OWN = ["server", "date", "connection", "x-account-ends", "transfer-encoding"];

/** What is alike in two answers. */
function compared({ status, headers, body }: Answer) {
  // The gateway says in JSON what the registry does not know as a method.
  if (status === 405) return { status };
  const rest = Object.entries(headers).filter(([name]) => !OWN.includes(name));
  return { status, headers: Object.fromEntries(rest.sort()), body };
}

describe.each(LINES.filter(({ line }) => line === 2 || existsSync(REGISTRY_3)))("with registry $line", ({
  registry,
}) => {
  let served: Served;
  let image: Image;
  /** Its registry does not answer: what it says comes from files. */
  let alone: Endpoint;
  const digests = { index: "", docker: "" };

  beforeAll(async () => {
    served = await serve({ registry });
    ({ image } = served);
    const { mediaType: _, ...untyped } = JSON.parse(image.manifest);
    digests.docker = await put({ ...untyped, mediaType: DOCKER }, DOCKER, "docker");
    await put(untyped, MANIFEST_TYPE, "untyped");
    const child = { mediaType: MANIFEST_TYPE, digest: image.manifestDigest, size: image.manifest.length };
    digests.index = await put({ schemaVersion: 2, mediaType: INDEX, manifests: [child] }, INDEX, "index");
    const nowhere = changed("config", /set \$registry .*;/g, "set $registry 127.0.0.1:1;");
    alone = (await serveGateway(served.stack, image, nowhere)).endpoint;
  });

  afterAll(() => served?.stack.stop());

  async function put(manifest: object, type: string, tag: string): Promise<string> {
    const text = JSON.stringify(manifest);
    const target = `/v2/${image.repository}/manifests/${tag}`;
    const { status } = await ask(served.endpoint, "PUT", target, [RIGHT, `Content-Type: ${type}`], text);
    expect(status).toBe(201);
    return digestOf(text);
  }

  const blob = (digest: string): string =>
    `${served.storage}/docker/registry/v2/blobs/sha256/${digest.slice(7, 9)}/${digest.slice(7)}/data`;

  const asRegistry = (method: string, path: string, headers: readonly string[]) =>
    ask(served.stack.registry, method, path, [
      `Authorization: ${served.machineAuthorization}`,
      // nginx sends it to the registry, whose answer depends on it.
      `X-Forwarded-Host: ${served.endpoint.authority}`,
      ...headers,
    ]);

  /** Requests by what they end in, those that files answer and those that only the registry can. */
  function matrix() {
    const { manifestDigest, blobDigest, tag } = image;
    const conditions = (digest: string) =>
      [`"${digest}"`, digest, `"${digestOf("x")}"`].map((value) => [`If-None-Match: ${value}`]);
    const manifests = [tag, manifestDigest, "docker", digests.docker, "index", digests.index, "untyped"].map(
      (reference) => `manifests/${reference}`,
    );
    const ranges = ["0-", "0-0", "3-5", "3-900", "-1", "-900"].map((range) => [`Range: bytes=${range}`]);
    const plain = [
      ...manifests.flatMap((end) =>
        [[], ...conditions(digests.index)].map((more) => ({ end, headers: [TYPES, ...more] })),
      ),
      ...conditions(manifestDigest).map((more) => ({ end: `manifests/${tag}`, headers: [TYPES, ...more] })),
      ...[[], ...ranges].map((headers) => ({ end: `blobs/${blobDigest}`, headers })),
      { end: `blobs/${blobDigest}`, headers: [`If-None-Match: "${digestOf("x")}"`] },
    ];
    const odd = [
      ...manifests.flatMap((end) =>
        [[], ["Accept: */*"], ["Accept: application/json"]].map((headers) => ({ end, headers })),
      ),
      ...["*", `W/"${manifestDigest}"`].map((tag_) => ({
        end: `manifests/${tag}`,
        headers: [TYPES, `If-None-Match: ${tag_}`],
      })),
      ...[
        "If-Match: *",
        "If-Modified-Since: Mon, 30 Nov 2026 00:00:00 GMT",
        "If-Unmodified-Since: Mon, 30 Nov 2020 00:00:00 GMT",
      ].flatMap((header) => [
        { end: `manifests/${tag}`, headers: [TYPES, header] },
        { end: `blobs/${blobDigest}`, headers: [header] },
      ]),
      ...["900-", "5-3", "-0", "x"].map((range) => ({
        end: `blobs/${blobDigest}`,
        headers: [`Range: bytes=${range}`],
      })),
      { end: `blobs/${blobDigest}`, headers: [`If-Range: "${blobDigest}"`, "Range: bytes=0-1"] },
      ...conditions(blobDigest)
        .slice(0, 2)
        .map((headers) => ({ end: `blobs/${blobDigest}`, headers })),
      ...[
        "manifests/nothing",
        `manifests/${digestOf("x")}`,
        `blobs/${digestOf("x")}`,
        `blobs/${manifestDigest}`,
      ].map((end) => ({ end, headers: [TYPES] })),
      ...["tags/list", `blobs/sha512:${"a".repeat(128)}`].map((end) => ({ end, headers: [] })),
    ];
    return { plain, odd };
  }

  test.each(["GET", "HEAD"])("every answer to %s is the registry's, header by header", async (method) => {
    const { plain, odd } = matrix();
    for (const { end, headers } of [...plain, ...odd]) {
      const path = `/v2/${image.repository}/${end}`;
      const expected = compared(await asRegistry(method, path, headers));
      const what = `${method} ${end} ${headers}`;
      expect(compared(await ask(served.endpoint, method, path, headers)), what).toEqual(expected);
    }
  });

  test("what files say is said without the registry, and a plain miss needs its word", async () => {
    const { plain, odd } = matrix();
    for (const [cases, isServed] of [
      [plain, true],
      [odd, false],
    ] as const)
      for (const { end, headers } of cases) {
        const { status } = await ask(alone, "GET", `/v2/${image.repository}/${end}`, headers);
        expect(status !== 503, `${end} ${headers}: ${status}`).toBe(isServed);
      }
  });

  test("a damaged layer is never empty, and one behind a symbolic link is never sent", async () => {
    const path = `/v2/${image.repository}/blobs/${image.blobDigest}`;
    const secret = `${served.home}/secret`;
    const bytes = Buffer.from((await ask(alone, "GET", path)).body, "latin1");
    await writeFile(secret, "a secret");
    await truncate(blob(image.blobDigest));
    expect((await ask(alone, "GET", path)).status).toBe(503);
    await unlink(blob(image.blobDigest));
    await symlink(secret, blob(image.blobDigest));
    expect(await ask(alone, "GET", path)).toMatchObject({ status: 503 });
    await unlink(blob(image.blobDigest));
    await writeFile(blob(image.blobDigest), bytes);
    expect((await ask(alone, "GET", path)).status).toBe(200);
  });

  test("the log has the path, the status and the bytes that were sent", async () => {
    const path = `/v2/${image.repository}/blobs/${image.blobDigest}`;
    await ask(served.endpoint, "GET", path, ["User-Agent: logged", "Range: bytes=0-4"]);
    await expect.poll(served.log).toMatch(new RegExp(`"GET ${path}" 206 5 [0-9.]+ "logged"`));
  });

  test("while a tag is pushed over and over, each answer is one of its manifests, whole", async () => {
    const manifests = Array.from({ length: 2 }, (_, index) =>
      JSON.stringify({ ...JSON.parse(image.manifest), annotations: { index: "x".repeat(index * 3000) } }),
    );
    let pushes = 0;
    const pushNext = () =>
      putManifest(served.endpoint, RIGHT, { ...image, manifest: manifests[pushes++ % 2] ?? "" }, "moving");
    // A tag that is not there yet is the registry's to answer, with 404, and with 500 in the moment in which it comes.
    await pushNext();
    const pushing = (async () => {
      while (pushes < 40) await pushNext();
    })();
    const path = `/v2/${image.repository}/manifests/moving`;
    const seen = new Set<string>();
    while (pushes < 40) {
      const { status, body, headers } = await ask(served.endpoint, "GET", path, [TYPES]);
      expect(status).toBe(200);
      expect(manifests).toContain(body);
      expect(headers["docker-content-digest"]).toBe(digestOf(body));
      seen.add(body);
    }
    await pushing;
    expect(seen.size).toBe(2);
  });
});
