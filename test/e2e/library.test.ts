import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { type BrowserContext, chromium, type Page, type Request } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Image as RawImage } from "./attacks/image.js";
import { ask, type Door } from "./attacks/raw.js";
import { writes } from "./attacks/shapes.js";
import { SMITH, Target } from "./attacks/target.js";
import { startUi } from "./attacks/uis.js";
import { buildImage, buildIndex, type Image, TAG } from "./clients/images.js";
import { PASSWORD, USER } from "./stack.js";
import { useSwarm } from "./swarm.js";

/** The public library, browsed by a person's program: a real Chromium at the host of the UI. */

/** Root has no sandbox, and behind the wall there is nobody to talk to but the library. */
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"];
const QUIET = ["--disable-background-networking", "--disable-component-update"];

const swarm = useSwarm();
let target: Target;
let index: Image;
/** One that not everybody may pull. */
let hidden: RawImage;
let profile: string;
let browser: BrowserContext;
let page: Page;
const requests: Request[] = [];
const complaints: string[] = [];

beforeAll(async () => {
  const root = { access: [{ repositories: ["private/**"], pull: "authenticated" }] };
  const registry = { delete: true };
  target = await Target.deploy("library", [5000, 8080], swarm, {
    root,
    registry,
    ui: { title: "The Smithy's images" },
  });
  const { workspace } = target;
  hidden = await target.pushImage("private/app");
  index = buildIndex(workspace.folder, "multi");
  const small = buildImage(workspace.folder, "small", [150_000, 2_400_000]);
  for (const [image, names] of [
    [small, ["team/app:2026.10", "team/app:2026.11", "team/app:latest", "team/worker:1.4.2", "web/shop:7"]],
    [index, ["tools/hello:1"]],
  ] as const) {
    for (const name of names) {
      const source = `oci:${image.layout}:${TAG}`;
      const destination = `docker://${workspace.registry}/${name}`;
      const options = ["--all", "--dest-tls-verify=false", "--dest-creds", `${USER}:${PASSWORD}`];
      const copy = await workspace.run("skopeo", [
        "copy",
        "--insecure-policy",
        ...options,
        source,
        destination,
      ]);
      if (copy.exitCode !== 0) throw new Error(copy.all);
    }
  }
  profile = await mkdtemp(`${tmpdir()}/chromium-`);
  browser = await chromium.launchPersistentContext(profile, {
    executablePath: "/usr/bin/chromium",
    args: [...FLAGS, ...QUIET],
    viewport: { width: 1000, height: 640 },
    colorScheme: "light",
  });
  page = await browser.newPage();
  page.on("request", (request) => requests.push(request));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
});

afterAll(async () => {
  await browser?.close();
  if (profile) await rm(profile, { recursive: true, force: true });
  await target?.destroy();
});

test("the catalog, a repository's tags and a tag's details are browsed without a login", async () => {
  await page.goto(target.workspace.uiUrl);
  const repository = (name: string) => page.locator(`[data-repository="${name}"]`);
  await repository("web/shop").waitFor();
  expect(
    await page
      .locator("[data-repository]")
      .evaluateAll((rows) => rows.map((row) => row.getAttribute("data-repository"))),
  ).toEqual(["team/app", "team/worker", "tools/hello", "web/shop"]);
  expect(await page.title()).toBe("The Smithy's images");

  await repository("team/app").getByRole("button").first().click();
  const tags = repository("team/app").locator("[data-tag]");
  await tags.nth(2).waitFor();
  // A 2.x registry lists tags in no order.
  const listed = await tags.evaluateAll((rows) => rows.map((row) => row.getAttribute("data-tag")));
  expect(listed.sort()).toEqual(["2026.10", "2026.11", "latest"]);

  await repository("tools/hello").getByRole("button").first().click();
  await repository("tools/hello").locator("[data-tag]").getByRole("button").click();
  const details = repository("tools/hello").locator(".card");
  await details.locator("dl").waitFor();
  const text = await details.innerText();
  expect(text).toContain(index.root.digest);
  expect(text).toMatch(/Platforms\s+linux\/amd64, linux\/arm64/);
  expect(text).toMatch(/Layers\s+2/);
  expect(text).toContain(`docker pull ${target.workspace.registry}/tools/hello:1`);

  const folder = process.env.HEPHAESTUS_REPORTS ?? target.workspace.folder;
  const path = process.env.UPDATE_GOLDEN ? "docs/library.png" : `${folder}/library.png`;
  await mkdir("docs", { recursive: true });
  const picture = await page.screenshot({ path });
  // A PNG (RFC 2083) of the viewport's size; an empty page of it has some 5 kB.
  expect(picture.subarray(1, 4).toString()).toBe("PNG");
  expect([picture.readUInt32BE(16), picture.readUInt32BE(20)]).toEqual([1000, 640]);
  expect(picture.length).toBeGreaterThan(20_000);
  if (folder === process.env.HEPHAESTUS_REPORTS) console.log(`the library's picture: ${path}`);
});

test("the browser was never asked to log in, and asked for nothing but reads of one host", () => {
  expect(requests.length).toBeGreaterThan(5);
  expect(new Set(requests.map((request) => request.method()))).toEqual(new Set(["GET", "HEAD"]));
  expect(new Set(requests.map((request) => new URL(request.url()).origin))).toEqual(
    new Set([target.workspace.uiUrl]),
  );
  expect(requests.filter((request) => "authorization" in request.headers())).toEqual([]);
  expect(complaints).toEqual([]);
});

test("whoever takes over the library's container finds nothing in it with which to write", async () => {
  const { workspace } = target;
  const { id } = await target.container("registry-ui");
  // Everything that its processes can read: their environments, what is mounted, and the files of nginx and its pages.
  const look = [
    "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline",
    "find /etc/nginx /run /var/run /tmp /usr/share/nginx /docker-entrypoint.d -type f -exec cat {} +",
    'sed -n \'s/^[^ ]* [^ ]* [^ ]* [^ ]* \\([^ ]*\\) .*/\\1/p\' /proc/self/mountinfo | while read -r m; do [ -f "$m" ] && cat "$m"; done',
  ].join("; ");
  const loot = (await workspace.docker("exec", id, "sh", "-c", look)).stdout;
  expect(loot).toContain("NGINX_PROXY_PASS_URL");
  const words = new Set(loot.match(/[A-Za-z0-9+/]{16,}={0,2}/g) ?? []);
  const headers = [...words].map((word) => `Basic ${word}`);
  const { registry, reader } = await target.inside();
  const doors = [registry, reader, target.gateway];
  const opened: string[] = [];
  for (const door of doors)
    for (const authorization of [undefined, ...headers]) {
      const more = authorization === undefined ? [] : [`Authorization: ${authorization}`];
      const { status = 0 } = await ask(door, "POST", "/v2/tools/stolen/blobs/uploads/", more);
      if (status < 400) opened.push(`${door.name}: ${status}`);
    }
  expect(opened).toEqual([]);
});

test("a page at the library's host cannot write or delete", async () => {
  const statuses = await page.evaluate(
    async ([digest]) => {
      const tries = [
        ["DELETE", `/v2/tools/hello/manifests/${digest}`],
        ["PUT", "/v2/tools/hello/manifests/2"],
        ["POST", "/v2/tools/hello/blobs/uploads/"],
        ["PATCH", "/v2/tools/hello/blobs/uploads/1"],
      ] as const;
      return Promise.all(
        tries.map(async ([method, path]) => (await fetch(path, { method, credentials: "omit" })).status),
      );
    },
    [index.root.digest],
  );
  expect(statuses).toEqual([401, 401, 401, 401]);
  const listing = await page.evaluate(async () => (await fetch("/v2/tools/hello/tags/list")).json());
  expect(listing).toEqual({ name: "tools/hello", tags: ["1"] });
});

test("whoever takes over the library's container reads what anyone may pull, and no more", async () => {
  const [door] = await target.doorsFrom("registry-ui", [{ name: "library", host: "127.0.0.1", port: 80 }]);
  const read = (path: string) => ask(door as Door, "GET", `/v2/${path}`);
  const { repositories } = JSON.parse((await read("_catalog?n=1000")).body) as { repositories: string[] };
  expect(repositories.sort()).toEqual(["team/app", "team/worker", "tools/hello", "web/shop"]);
  expect((await read("tools/hello/manifests/1")).status).toBe(200);
  for (const reference of [hidden.tag, hidden.manifestDigest])
    expect((await read(`private/app/manifests/${reference}`)).status).toBe(401);
});

describe("each of the locks of the UI is noticed when it is gone: it is asked to write with a right password, and", () => {
  const writing = async (door: Door): Promise<(number | undefined)[]> => {
    const statuses: (number | undefined)[] = [];
    for (const { method, target: path, headers, body } of writes(hidden))
      for (const credential of [[], [SMITH]])
        statuses.push((await ask(door, method, path, [...headers, ...credential], body)).status);
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
