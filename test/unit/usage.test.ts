import fc from "fast-check";
import { expect, test } from "vitest";
import { bar } from "../../src/actions/usage.js";
import type { RegistryApi } from "../../src/registry/registryApi.js";
import { contentOf, usageOf } from "../../src/registry/repositoryUsage.js";

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

test("an index counts with its images, and a manifest that several tags name counts once", async () => {
  const manifests: Record<string, object> = {
    "sha256:i": {
      manifests: [{ digest: "sha256:m", size: 9, mediaType: "application/vnd.oci.image.manifest.v1+json" }],
    },
    "sha256:m": { config: { digest: "sha256:c", size: 10 }, layers: [{ digest: "sha256:l", size: 1000 }] },
  };
  const tags: Record<string, string> = {
    multi: "sha256:i",
    one: "sha256:m",
    two: "sha256:m",
    gone: "sha256:x",
  };
  const asked: string[] = [];
  const api = {
    tags: async () => Object.keys(tags),
    rawManifest: async (_repository: string, reference: string) => {
      asked.push(reference);
      const digest = tags[reference] ?? reference;
      const json = manifests[digest];
      return json && { digest, mediaType: "", bytes: Buffer.from(JSON.stringify(json)) };
    },
  } as unknown as RegistryApi;
  const { blobs, unreadable } = await contentOf(api, "a");
  expect([...blobs.keys()].sort()).toEqual(["sha256:c", "sha256:i", "sha256:l", "sha256:m"]);
  expect(blobs.get("sha256:l")).toBe(1000);
  expect(unreadable).toEqual(["gone"]);
  expect(asked.filter((reference) => reference === "sha256:m").length).toBeLessThan(2);
});

test("a bar is as long as its part", () => {
  expect([0, 0.5, 1, 2].map(bar)).toEqual(["", "██████", "████████████", "████████████"]);
  expect(bar(0.01)).toBe("▏");
});
