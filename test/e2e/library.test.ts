import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Image } from "./attacks/image.js";
import { ask, type Endpoint } from "./attacks/raw.js";
import { writes } from "./attacks/shapes.js";
import { SMITH, Target } from "./attacks/target.js";
import { startUi } from "./attacks/uis.js";
import { MEDIA } from "./clients/images.js";
import { WITH_READER } from "./stack.js";
import { useSwarm } from "./swarm.js";

/**
 * The public library, without its page: that is joxit's and comes in its image alone, no package registry has it, and the
 * stand-in for the image has another one. So what is tested is ours: the answers that any page gets at the host of the UI, the
 * environment from which joxit's start script writes it, and what there is to find in the container.
 */

const swarm = useSwarm();
const TITLE = "The Smithy's images, #1: all!";
let target: Target;
let image: Image;
/** One that not everybody may pull; the last of the catalog. */
let hidden: Image;

beforeAll(async () => {
  const root = { access: [{ repositories: ["x-private/**"], pull: "authenticated" }] };
  const registry = { delete: true };
  target = await Target.deploy("library", [5000, 8080], swarm, {
    root,
    registry,
    gateway: WITH_READER,
    ui: { title: TITLE },
  });
  hidden = await target.pushImage("x-private/app");
  for (const repository of ["web/shop", "team/worker", "team/app"])
    image = await target.pushImage(repository);
});

afterAll(() => target?.destroy());

test("catalog, tags, manifests and blobs are read without a login, page by page", async () => {
  const accept = `Accept: ${Object.values(MEDIA).join(", ")}`;
  const read = async (path: string, method = "GET") => {
    const answer = await ask(target.ui, method, path, [accept]);
    expect(answer.status, path).toBe(200);
    expect(answer.headers["www-authenticate"], path).toBeUndefined();
    return answer;
  };
  const first = await read("/v2/_catalog?n=2");
  expect(JSON.parse(first.body)).toEqual({ repositories: ["team/app", "team/worker"] });
  // Relative, so the next page is at this host too.
  const [, next = ""] = /^<(\/v2\/[^>]+)>; rel="next"$/.exec(first.headers.link ?? "") ?? [];
  expect(JSON.parse((await read(next)).body)).toEqual({ repositories: ["web/shop"] });
  expect(JSON.parse((await read("/v2/team/app/tags/list?n=100")).body)).toEqual({
    name: "team/app",
    tags: ["latest"],
  });
  const manifest = await read("/v2/team/app/manifests/latest");
  expect(manifest.body).toBe(image.manifest);
  const head = await read("/v2/team/app/manifests/latest", "HEAD");
  for (const { headers } of [manifest, head])
    expect(headers["docker-content-digest"]).toBe(image.manifestDigest);
  const { config } = JSON.parse(manifest.body) as { config: { digest: string } };
  expect(JSON.parse((await read(`/v2/team/app/blobs/${config.digest}`)).body)).toMatchObject({ os: "linux" });
});

test("the page is written for this registry, and calls nobody else", async () => {
  const { id } = await target.container("registry-ui");
  const inspected = await target.docker("inspect", "--format", "{{json .Config.Env}}", id);
  const environment = JSON.parse(inspected) as string[];
  expect(environment).toEqual(
    expect.arrayContaining([
      `REGISTRY_TITLE=${TITLE}`,
      `PULL_URL=${target.workspace.registry}`,
      "SINGLE_REGISTRY=true",
      "DELETE_IMAGES=false",
      "ENABLE_VERSION_NOTIFICATION=false",
    ]),
  );
  // The page asks the host that it comes from.
  expect(environment.filter((entry) => entry.startsWith("REGISTRY_URL="))).toEqual([]);
});

/** Everything in the library's container that could be a credential, as headers. */
async function loot(): Promise<string[]> {
  const { id } = await target.container("registry-ui");
  // Everything that its processes can read: their environments, what is mounted, and the files of nginx and its pages.
  const look = [
    "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline",
    "find /etc/nginx /run /var/run /tmp /usr/share/nginx /docker-entrypoint.d -type f -exec cat {} +",
    'sed -n \'s/^[^ ]* [^ ]* [^ ]* [^ ]* \\([^ ]*\\) .*/\\1/p\' /proc/self/mountinfo | while read -r m; do [ -f "$m" ] && cat "$m"; done',
  ].join("; ");
  // Some of it cannot be read.
  const { stdout: found } = await target.workspace.docker("exec", id, "sh", "-c", look);
  expect(found).toContain("NGINX_PROXY_PASS_URL");
  return [...new Set(found.match(/[A-Za-z0-9+/]{16,}={0,2}/g) ?? [])].map(
    (word) => `Authorization: Basic ${word}`,
  );
}

test("whoever takes over the library's container finds nothing in it with which to write", async () => {
  const headers = await loot();
  const { registry, reader } = await target.inside();
  const endpoints = [registry, reader, target.gateway];
  const opened: string[] = [];
  for (const endpoint of endpoints)
    for (const more of [[], ...headers.map((header) => [header])]) {
      const { status = 0 } = await ask(endpoint, "POST", "/v2/tools/stolen/blobs/uploads/", more);
      if (status < 400) opened.push(`${endpoint.name}: ${status}`);
    }
  expect(opened).toEqual([]);
});

test("whoever takes over the library's container reads what anyone may pull, and no more", async () => {
  const [endpoint] = await target.endpointsFrom("registry-ui", [
    { name: "library", host: "127.0.0.1", port: 80 },
  ]);
  const accept = `Accept: ${Object.values(MEDIA).join(", ")}`;
  const read = (path: string) => ask(endpoint as Endpoint, "GET", `/v2/${path}`, [accept]);
  const { repositories } = JSON.parse((await read("_catalog?n=1000")).body) as { repositories: string[] };
  expect(repositories.sort()).toEqual(["team/app", "team/worker", "web/shop"]);
  expect((await read("team/app/manifests/latest")).status).toBe(200);
  for (const reference of [hidden.tag, hidden.manifestDigest])
    expect((await read(`x-private/app/manifests/${reference}`)).status).toBe(401);
});

describe("each of the locks of the UI is noticed when it is gone: it is asked to write with a right password, and", () => {
  const writing = async (endpoint: Endpoint): Promise<(number | undefined)[]> => {
    const statuses: (number | undefined)[] = [];
    for (const { method, target: path, headers, body } of writes(hidden))
      for (const credential of [[], [SMITH]])
        statuses.push((await ask(endpoint, method, path, [...headers, ...credential], body)).status);
    return statuses;
  };
  const methods = () => readFile(`${target.workspace.folder}/registry-ui/methods.conf`, "utf8");

  test("as it is refuses", async () => {
    expect(new Set(await writing(await startUi(target, 5980, await methods())))).toEqual(new Set([401]));
  });

  test.each([
    [5981, "without the file of methods", (): string | undefined => undefined],
    [5982, "with another method", (text: string) => text.replace("OPTIONS off;", "OPTIONS off; DELETE off;")],
    [
      5983,
      "without the password that nobody has",
      (text: string) => text.replace("auth_basic  ", "# auth_basic  "),
    ],
  ] as const)("at port %i %s does not", async (port, _, change) => {
    const statuses = await writing(await startUi(target, port, change(await methods())));
    expect(statuses.filter((status) => status !== 401).length).toBeGreaterThan(0);
  });
});

describe("with a login for each pull, no rules and no reader, the library gets an account by a deploy", () => {
  beforeAll(() =>
    target.redeploy({ registry: { delete: true, pull: "authenticated" }, ui: { title: TITLE } }),
  );

  test("it shows everything without a login, while the gateway asks for one", async () => {
    const catalog = await ask(target.ui, "GET", "/v2/_catalog?n=100", []);
    expect(JSON.parse(catalog.body).repositories).toContain("x-private/app");
    expect((await ask(target.gateway, "GET", "/v2/_catalog?n=100", [])).status).toBe(401);
  });

  test("whoever takes over its container finds that account alone, and reads with it, but cannot push or delete", async () => {
    const accounts = (await loot()).filter((header) =>
      Buffer.from(header.split(" ").at(-1) ?? "", "base64")
        .toString()
        .startsWith("hephaestus-"),
    );
    expect(accounts).toHaveLength(1);
    const accept = `Accept: ${Object.values(MEDIA).join(", ")}`;
    const statusOf = async (method: string, path: string) =>
      (await ask(target.gateway, method, path, [...accounts, accept])).status;
    const manifest = `/v2/team/app/manifests/${image.manifestDigest}`;
    expect(await statusOf("GET", manifest)).toBe(200);
    expect(await statusOf("DELETE", manifest)).toBe(403);
    expect(await statusOf("PUT", "/v2/team/app/manifests/stolen")).toBe(403);
    expect(await statusOf("POST", "/v2/tools/stolen/blobs/uploads/")).toBe(403);
    expect(await statusOf("GET", manifest)).toBe(200);
  });
});
