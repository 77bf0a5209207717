import { expect, test } from "vitest";
import { bar } from "../../src/commands/usage.js";
import { ExitCode } from "../../src/errors.js";
import { readRepositoryContent, usageOf } from "../../src/maintenance/repositoryUsage.js";
import { type Digest, digestOf } from "../../src/registry/digest.js";
import type { RegistryApi } from "../../src/registry/registryApi.js";
import { UnexpectedAnswer } from "../../src/registry/registryClient.js";
import fc from "../support/properties.js";

const content = (repository: string, blobs: Record<string, number>, tags = ["1"]) => ({
  repository,
  tags,
  blobs: new Map(Object.entries(blobs)),
  unreadable: [],
});

test("what repositories share is counted once, and by whom", () => {
  const { repositories, bytes } = usageOf([
    content("a", { base: 100, a: 5 }),
    content("b", { base: 100, b: 20 }, ["1", "2"]),
    content("c", { c: 1 }),
    content("d", { base: 100, c: 1 }),
  ]);
  expect(bytes).toBe(126);
  expect(repositories).toEqual([
    { repository: "b", tags: 2, bytes: 120, own: 20, sharedWith: ["a", "d"] },
    { repository: "a", tags: 1, bytes: 105, own: 5, sharedWith: ["b", "d"] },
    { repository: "d", tags: 1, bytes: 101, own: 0, sharedWith: ["a", "b", "c"] },
    { repository: "c", tags: 1, bytes: 1, own: 0, sharedWith: ["d"] },
  ]);
});

test("what no other repository holds is what goes with a repository", () => {
  const blobs = fc.uniqueArray(fc.constantFrom(..."abcdefgh"), { minLength: 1 });
  const sizes: Record<string, number> = { a: 1, b: 2, c: 4, d: 8, e: 16, f: 32, g: 64, h: 128 };
  fc.assert(
    fc.property(fc.array(blobs, { minLength: 1, maxLength: 5 }), (repositories) => {
      const contents = repositories.map((names, index) =>
        content(`r${index}`, Object.fromEntries(names.map((name) => [name, sizes[name] ?? 0]))),
      );
      const { repositories: used, bytes } = usageOf(contents);
      for (const { repository, own } of used)
        expect(usageOf(contents.filter((one) => one.repository !== repository)).bytes).toBe(bytes - own);
    }),
  );
});

/** A registry with one repository, which notes what it is asked for. */
function registry() {
  const manifests = new Map<string, Buffer>();
  const tags = new Map<string, string>();
  const asked: string[] = [];
  const put = (json: object) => {
    const bytes = Buffer.from(JSON.stringify(json));
    manifests.set(digestOf(bytes), bytes);
    return digestOf(bytes);
  };
  const api = {
    tags: async () => [...tags.keys()],
    rawManifest: async (_repository: string, reference: string) => {
      asked.push(reference);
      // What the registry answers for a tag whose link is empty.
      if (reference === "torn")
        throw new UnexpectedAnswer("was answered 500", 500, { exitCode: ExitCode.verify });
      const digest = tags.get(reference) ?? reference;
      const bytes = manifests.get(digest);
      return bytes && { digest, mediaType: "", bytes };
    },
  } as unknown as RegistryApi;
  return { api, manifests, tags, asked, put };
}

const [CONFIG, LAYER] = ["c", "l"].map((text) => digestOf(Buffer.from(text))) as [Digest, Digest];

test("an index counts with its images, and a manifest that several tags name counts once", async () => {
  const { api, tags, asked, put } = registry();
  const image = put({ config: { digest: CONFIG, size: 10 }, layers: [{ digest: LAYER, size: 1000 }] });
  const index = put({
    manifests: [{ digest: image, size: 9, mediaType: "application/vnd.oci.image.manifest.v1+json" }],
  });
  for (const [tag, digest] of [
    ["multi", index],
    ["one", image],
    ["two", image],
    ["gone", "sha256:x"],
    ["torn", ""],
  ] as const)
    tags.set(tag, digest);
  const { blobs, unreadable } = await readRepositoryContent(api, "a");
  expect([...blobs.keys()].sort()).toEqual([CONFIG, LAYER, image, index].sort());
  expect(blobs.get(LAYER)).toBe(1000);
  expect(unreadable).toEqual(["gone", "torn"]);
  expect(asked.filter((reference) => reference === image).length).toBeLessThan(2);
});

test.each([
  -1,
  1e17,
  0.5,
  "7",
  Number.MAX_SAFE_INTEGER,
])("a manifest with a layer of %s bytes is not believed", async (size) => {
  const { api, tags, put } = registry();
  tags.set("odd", put({ config: { digest: CONFIG, size: 10 }, layers: [{ digest: LAYER, size }] }));
  expect(await readRepositoryContent(api, "a")).toMatchObject({ unreadable: ["odd"], blobs: new Map() });
});

test("a registry that makes up what it gives comes to an end", async () => {
  const { api, tags, manifests, asked, put } = registry();
  tags.set("endless", put({ manifests: [{ digest: digestOf(Buffer.from("first")) }] }));
  // Whatever is asked for by its digest is an index that lists another one.
  const get = manifests.get.bind(manifests);
  manifests.get = (key) =>
    get(key) ?? Buffer.from(JSON.stringify({ manifests: [{ digest: digestOf(Buffer.from(key)) }] }));
  const { unreadable } = await readRepositoryContent(
    {
      ...api,
      rawManifest: (...of) =>
        asked.length < 1000 ? api.rawManifest(...of) : Promise.reject(new Error("no end")),
    } as RegistryApi,
    "a",
  );
  expect(unreadable).toHaveLength(1);
});

test("a bar is as long as its part", () => {
  expect([0, 0.5, 1, 2].map(bar)).toEqual(["", "██████", "████████████", "████████████"]);
  expect(bar(0.01)).toBe("▏");
});
