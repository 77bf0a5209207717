import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readBackupContent, wholeImages } from "../../src/backup/backupContent.js";
import { BackupDirectory } from "../../src/backup/backupDirectory.js";
import { backupImages } from "../../src/backup/backupStack.js";
import { formatIndex, type NamedManifest, parseIndex } from "../../src/backup/ociLayout.js";
import { proveBackup } from "../../src/backup/proveBackup.js";
import { pruneBackups } from "../../src/backup/pruneBackups.js";
import { pushImages } from "../../src/backup/pushImages.js";
import { readRepositoryContent as usedBy } from "../../src/maintenance/repositoryUsage.js";
import { planRetention } from "../../src/maintenance/retention.js";
import { imagesOf } from "../../src/maintenance/taggedImages.js";
import type { Digest } from "../../src/registry/digest.js";
import { parseReferences, type References } from "../../src/registry/references.js";
import { RegistryApi } from "../../src/registry/registryApi.js";
import { RegistryClient } from "../../src/registry/registryClient.js";
import { ProgressMeter } from "../../src/terminal/progress.js";
import fc from "../support/properties.js";
import { silentReporter } from "../support/silentReporter.js";
import { digestOf, RegistryServer, TYPES } from "./registryServer.js";

/** Registries and backups that were made to harm: whatever they hold, each command comes to an end and stays in its folder. */

let parent: string;
let folder: string;
let source: RegistryServer;
let target: RegistryServer;

beforeEach(async () => {
  parent = mkdtempSync(join(tmpdir(), "hostile-"));
  folder = join(parent, "backup");
  [source, target] = [await RegistryServer.start(), await RegistryServer.start()];
});
afterEach(() => {
  for (const server of [source, target]) server.stop();
  rmSync(parent, { recursive: true, force: true });
});

const meter = () => new ProgressMeter(silentReporter);
const { signal } = new AbortController();
const apiOf = (url: string) => new RegistryApi(new RegistryClient(url, undefined, { signal }));

async function backup() {
  const directory = await BackupDirectory.create(folder);
  const { url } = source;
  const request = { directory, login: undefined, tool: "hephaestus test", signal };
  return backupImages(request, url, silentReporter, "forge", () => []);
}
const opened = async () => (await BackupDirectory.open(folder)).read();

/** Two indexes on each level, each of which lists both of the level below: 2^levels ways lead down. */
function lattice(levels: number): number {
  let below = [source.image("app", undefined, "a"), source.image("app", undefined, "b")];
  for (let level = 1; level < levels; level++)
    below = ["a", "b"].map((name) =>
      source.manifest("app", undefined, TYPES.index, { manifests: below, annotations: { name } }),
    );
  source.manifest("app", "1", TYPES.index, { manifests: below });
  return 2 * levels + 1;
}

describe("manifests that list each other", () => {
  test("are each read once, by backup, restore, prune, usage and prune-tags", async () => {
    const manifests = lattice(31);
    const report = await backup();
    expect(report).toMatchObject({ tags: 1, images: manifests, damage: [] });
    expect(source.requests.filter((request) => request.includes("/manifests/"))).toHaveLength(manifests);
    const own = await opened();
    expect((await proveBackup(own, meter())).damage).toEqual([]);
    const { named } = await readBackupContent(own);
    const pushed = await pushImages(apiOf(target.url), own.directory, named, meter());
    expect(pushed.manifests).toBe(manifests);
    expect(target.repository("app")).toEqual(source.repository("app"));
    await backup();
    expect(await pruneBackups(own.directory, 1, false)).toMatchObject({ blobs: 0 });

    source.requests.length = 0;
    expect((await usedBy(apiOf(source.url), "app")).blobs.size).toBe(manifests + 4);
    expect(source.requests.filter((request) => request.includes("/manifests/"))).toHaveLength(manifests);
    source.requests.length = 0;
    const { images } = await imagesOf(apiOf(source.url), "app");
    expect(images[0]?.children).toHaveLength(manifests - 1);
    expect(source.requests.filter((request) => request.includes("/manifests/"))).toHaveLength(manifests);
  }, 60_000);

  test("keep what only an index within an index holds, when tags are pruned", async () => {
    const image = source.image("app", "amd64", "amd64");
    const inner = source.manifest("app", undefined, TYPES.index, { manifests: [image] });
    source.manifest("app", "1", TYPES.index, { manifests: [inner] });
    const { images } = await imagesOf(apiOf(source.url), "app");
    const rule = {
      matches: (tag: string) => tag === "amd64",
      keepLast: 0,
      olderThanDays: undefined,
      now: new Date(),
    };
    const { doomed, spared } = planRetention(images, rule);
    expect(doomed).toEqual([]);
    expect(spared).toEqual([{ tag: "amd64", reason: "is part of 1, which stays" }]);
  });

  test("may name a layer that the backup has already as a manifest, which it is not", async () => {
    source.image("app", "1", "layer");
    await backup();
    const layer = { ...source.blob("app", Buffer.from("layer layer")), mediaType: TYPES.manifest };
    source.manifest("app", "2", TYPES.index, { manifests: [layer] });
    expect((await backup()).damage).toEqual(
      expect.arrayContaining([expect.stringContaining("is no manifest"), `app:2 lacks ${layer.digest}`]),
    );
  });

  test("may lack something at the end of every way, and are judged at once", async () => {
    lattice(31);
    const gone = digestOf(Buffer.from("layer a"));
    source.repository("app").blobs.delete(gone);
    expect((await backup()).damage).toContain(`app:1 lacks ${gone}`);
  }, 60_000);

  const name = (number: number) => `sha256:${number.toString(16).padStart(64, "0")}` as Digest;
  const named = (digest: Digest): NamedManifest => ({
    repository: "app",
    tag: "1",
    mediaType: TYPES.index,
    digest,
    size: 1,
  });

  test("may be a chain of any length", () => {
    const length = 50_000;
    const references = new Map<Digest, References>();
    for (let number = 1; number <= length; number++)
      references.set(name(number), { blobs: [], manifests: number === 1 ? [] : [name(number - 1)] });
    const whole = wholeImages({ named: [named(name(length))], references, blobs: new Set() });
    expect(whole.manifests).toHaveLength(length);
    expect(whole.manifests.slice(0, 2)).toEqual([name(1), name(2)]);
    references.delete(name(1));
    expect(wholeImages({ named: [named(name(length))], references, blobs: new Set() }).damage).toEqual([
      `app:1 lacks ${name(1)}`,
    ]);
  });

  test("are judged as a plain walk judges them, and come after what they list", () => {
    const graph = fc.array(fc.record({ manifests: fc.array(fc.nat(9)), blobs: fc.array(fc.nat(3)) }), {
      maxLength: 9,
    });
    fc.assert(
      fc.property(graph, fc.subarray([0, 1, 2, 3]), (drawn, there) => {
        const blob = (number: number) => name(100 + number);
        const references = new Map(
          drawn.map(({ manifests, blobs }, number): [Digest, References] => [
            name(number),
            {
              blobs: blobs.map((one) => ({ digest: blob(one), size: 1 })),
              manifests: manifests.filter((child) => child < number).map(name),
            },
          ]),
        );
        const lacks = (number: number): Digest[] => {
          const own = drawn[number];
          if (!own) return [name(number)];
          return [
            ...own.blobs.filter((one) => !there.includes(one)).map(blob),
            ...own.manifests.filter((child) => child < number).flatMap(lacks),
          ];
        };
        const seen = { references, blobs: new Set(there.map(blob)) };
        for (let number = 0; number <= drawn.length; number++) {
          const whole = wholeImages({ ...seen, named: [named(name(number))] });
          expect(whole.damage).toEqual([...new Set(lacks(number))].map((one) => `app:1 lacks ${one}`).sort());
          for (const [at, digest] of whole.manifests.entries())
            for (const child of references.get(digest)?.manifests ?? [])
              expect(whole.manifests.indexOf(child)).toBeLessThan(at);
        }
      }),
    );
  });
});

describe("a registry", () => {
  test.each([
    ["a digest that leads out", { digest: "sha256:../../../evil", size: 4 }],
    ["a digest of another form", { digest: `sha256:${"A".repeat(64)}`, size: 4 }],
    ["a negative size", { digest: digestOf(Buffer.from("evil")), size: -1 }],
    ["a size that nothing has", { digest: digestOf(Buffer.from("evil")), size: 1e17 }],
  ])("whose manifest has %s writes nothing by it", async (_what, layer) => {
    const outside = join(parent, "evil.part");
    writeFileSync(outside, "mine");
    const good = source.image("team/good", "1", "good");
    const config = source.blob("team/evil", Buffer.from("{}"));
    source.blob("team/evil", Buffer.from("evil"));
    const evil = source.manifest("team/evil", "1", TYPES.manifest, { config, layers: [layer] });
    const report = await backup();
    expect(report).toMatchObject({ tags: 1, images: 1 });
    expect(report.damage).toEqual([
      `team/evil:1: ${evil.digest} is no manifest, or has a digest or size that is none`,
    ]);
    expect((await opened()).index.named.map(({ digest }) => digest)).toEqual([good.digest]);
    expect(readFileSync(outside, "utf8")).toBe("mine");
    expect(readdirSync(parent).sort()).toEqual(["backup", "evil.part"]);
    expect(Number.isSafeInteger(report.bytes)).toBe(true);
  });

  test("that gives another manifest for a digest is not believed", async () => {
    const [asked, other] = ["asked", "other"].map((text) => source.image("app", undefined, text));
    source.manifest("app", "1", TYPES.index, { manifests: [asked] });
    const { manifests } = source.repository("app");
    const stored = manifests.get(other?.digest ?? "");
    if (stored) manifests.set(asked?.digest ?? "", stored);
    expect((await backup()).damage).toContainEqual(expect.stringContaining("does not match its digest"));
  });

  test("whose referrers fail has damage, and the others are asked for", async () => {
    source.hasReferrers = true;
    for (const name of ["a", "b"])
      source.image(name, undefined, `signature ${name}`, { subject: source.image(name, "1", name) });
    const broken = source.repository("a").tags.get("1");
    source.failing = `/v2/a/referrers/${broken}`;
    const { damage, images } = await backup();
    expect(damage).toEqual([`what refers to a@${broken} cannot be read (500)`]);
    expect(images).toBe(3);
  });
});

describe("answers", () => {
  const answering = async <T>(
    answer: (path: string) => { body: string; link?: string },
    work: (api: RegistryApi, asked: string[]) => Promise<T>,
  ): Promise<T> => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url ?? "");
      const { body, link } = answer(request.url ?? "");
      response.writeHead(200, link === undefined ? {} : { link: `<${link}>; rel="next"` }).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      return await work(apiOf(`http://127.0.0.1:${(server.address() as AddressInfo).port}`), asked);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  };

  test.each([
    "../../admin",
    "a/../b",
    "A",
    "a b",
    "\u001b[2J",
    "",
  ])("that list a repository %j are refused", async (name) => {
    const body = JSON.stringify({ repositories: ["good", name] });
    await answering(
      () => ({ body }),
      (api) => expect(api.repositories()).rejects.toThrow(/at repositories.1: no registry takes this name/),
    );
  });

  test("whose list leads back to a page that was read have no end, and are left", async () => {
    const page = { body: JSON.stringify({ tags: ["1"] }), link: "/v2/app/tags/list?n=100" };
    await answering(
      () => page,
      async (api, asked) => {
        await expect(api.tags("app")).rejects.toThrow("a list without an end");
        expect(asked).toHaveLength(1);
      },
    );
  });

  test("with a manifest that is larger than any are not read to their end", async () => {
    await answering(
      () => ({ body: " ".repeat(20 * 1024 * 1024) }),
      (api) => expect(api.rawManifest("app", "1")).rejects.toThrow(/has more than 4194304 bytes/),
    );
  });
});

describe("documents from outside", () => {
  const valid = fc.stringMatching(/^[0-9a-f]{64}$/).map((hex) => `sha256:${hex}`);
  const text = fc.oneof(
    valid,
    fc.string(),
    fc.constant("sha256:../../x"),
    valid.map((one) => `${one}/..`),
  );
  const size = fc.oneof(fc.nat(), fc.double(), fc.constantFrom(-1, 1e17, "7", null));
  const descriptor = fc.record({ digest: text, size, mediaType: fc.constantFrom(TYPES.manifest, "x") });
  const isSound = (digest: string) => /^sha256:[0-9a-f]{64}$/.test(digest);

  test("give digests of one form and sizes that can be, or nothing", () => {
    const manifest = fc.oneof(
      fc.record(
        {
          config: descriptor,
          layers: fc.array(descriptor),
          manifests: fc.array(descriptor),
          subject: descriptor,
        },
        { requiredKeys: [] },
      ),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(manifest, (json) => {
        const found = parseReferences(Buffer.from(JSON.stringify(json)));
        for (const blob of found?.blobs ?? []) {
          expect(isSound(blob.digest)).toBe(true);
          expect(blob.size === undefined || (Number.isSafeInteger(blob.size) && blob.size >= 0)).toBe(true);
        }
        for (const digest of [...(found?.manifests ?? []), ...(found?.subject ? [found.subject] : [])])
          expect(isSound(digest)).toBe(true);
      }),
    );
  });

  test("an index of a layout has sound digests, sizes and names, or is refused", () => {
    const annotations = fc.dictionary(
      fc.constantFrom("org.opencontainers.image.ref.name", "hephaestus.repository"),
      fc.oneof(fc.string(), fc.constantFrom("a/../b", "../x", "team/app", "team/app:1")),
    );
    const entry = fc.record({ mediaType: fc.string(), digest: text, size, annotations });
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 3 }), (manifests) => {
        let index: ReturnType<typeof parseIndex>;
        try {
          index = parseIndex(JSON.stringify({ manifests }));
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError);
          return;
        }
        for (const one of index.named) {
          expect(isSound(one.digest)).toBe(true);
          expect(Number.isSafeInteger(one.size) && one.size >= 0).toBe(true);
          expect(one.repository).toMatch(/^[a-z0-9._/-]+$/);
          expect(one.repository).not.toMatch(/\.\./);
        }
        // What was read is written and read back.
        expect(parseIndex(formatIndex(index.named)).named).toEqual(index.named);
      }),
    );
  });

  test("a file in a backup folder that is a link is not written through", async () => {
    const outside = join(parent, "outside");
    writeFileSync(outside, "mine");
    source.image("app", "1", "a");
    await BackupDirectory.create(folder);
    const layer = digestOf(Buffer.from("layer a")).slice("sha256:".length);
    symlinkSync(outside, join(folder, "blobs/sha256", `${layer}.part`));
    await expect(backup()).rejects.toThrow("cannot be written (ELOOP)");
    expect(readFileSync(outside, "utf8")).toBe("mine");
  });

  test("a backup whose description is none is damaged", async () => {
    source.image("app", "1", "a");
    const { name } = await backup();
    const file = join(folder, "backups", name, "backup.json");
    for (const text of [
      "{}",
      "[]",
      "{",
      JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), time: 7 }),
    ]) {
      writeFileSync(file, text);
      await expect(opened()).rejects.toThrow(/is damaged: backup.json/);
    }
    expect(existsSync(file)).toBe(true);
  });
});
