import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { consistent } from "../../src/backup/consistency.js";
import { parseReferences, type References } from "../../src/registry/references.js";
import { blobAt, blobPath, isLinkPath, type Link, linkPath, parseLink } from "../../src/storage/layout.js";

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const [A, B, C, D, E] = ["a", "b", "c", "d", "e"].map(digest) as [string, string, string, string, string];
const REPOSITORIES = "docker/registry/v2/repositories";

describe("the layout of a storage", () => {
  test.each([
    ["team/app/_manifests/tags/v1/current/link", "tag", "team/app", "v1"],
    [`app/_manifests/tags/_layers/index/sha256/${"a".repeat(64)}/link`, "index", "app", "_layers"],
    [`a/b/c/_manifests/revisions/sha256/${"a".repeat(64)}/link`, "revision", "a/b/c", undefined],
    [`a__b/c-d/_layers/sha256/${"a".repeat(64)}/link`, "layer", "a__b/c-d", undefined],
  ] as const)("%s is a link, and its path is made from what it says", (rest, kind, repository, tag) => {
    const path = `${REPOSITORIES}/${rest}`;
    const link = parseLink(path, A);
    expect(link).toEqual({ kind, repository, tag, digest: A });
    expect(linkPath(link as Link)).toBe(path);
  });

  test.each([
    ["an upload", "app/_uploads/5c0/data"],
    [
      "a signature of old",
      `app/_manifests/revisions/sha256/${"a".repeat(64)}/signatures/sha256/${"b".repeat(64)}/link`,
    ],
    ["a way out of the folder", "../../app/_manifests/tags/v1/current/link"],
    ["a way out of a repository", "app/../../x/_manifests/tags/v1/current/link"],
    ["a tag that is a way out", "app/_manifests/tags/../current/link"],
  ])("%s is no link", (_name, rest) => {
    expect(parseLink(`${REPOSITORIES}/${rest}`, A)).toBeUndefined();
    expect(isLinkPath(`${REPOSITORIES}/${rest}`)).toBe(false);
  });

  test("a link that is just being written, or names another digest than its place, says nothing", () => {
    const revision = linkPath({ kind: "revision", repository: "app", tag: undefined, digest: A });
    for (const content of ["", "sha256:abc", B, `${A}\n`])
      expect(parseLink(revision, content)).toBeUndefined();
    expect(isLinkPath(revision)).toBe(true);
  });

  test("blobs have a place by their digest, and no other path is one", () => {
    expect(blobAt(blobPath(A))).toBe(A);
    expect(blobAt(blobPath(A).replace("/aa/", "/ab/"))).toBeUndefined();
    expect(blobAt(`x/${blobPath(A)}`)).toBeUndefined();
  });
});

describe("the references of a manifest", () => {
  const parse = (value: unknown) => parseReferences(Buffer.from(JSON.stringify(value)));

  test("are its config, its layers and its children, each once", () => {
    expect(parse({ config: { digest: A }, layers: [{ digest: B }, { digest: B }] })).toEqual({
      blobs: [A, B],
      manifests: [],
    });
    expect(parse({ manifests: [{ digest: A }, { digest: B }], subject: { digest: C } })).toEqual({
      blobs: [],
      manifests: [A, B],
      subject: C,
    });
    expect(parse({ fsLayers: [{ blobSum: A }] })).toEqual({ blobs: [A], manifests: [] });
  });

  test("do not hold foreign layers, which no registry has to have", () => {
    const foreign = { digest: B, urls: ["https://example.com/layer"] };
    expect(parse({ config: { digest: A }, layers: [foreign, { digest: C, urls: [] }] })?.blobs).toEqual([
      A,
      C,
    ]);
  });

  test("are none of what is no manifest", () => {
    for (const value of [null, 1, "x", [], {}, { layers: 1 }, { architecture: "amd64", os: "linux" }])
      expect(parse(value)).toBeUndefined();
    expect(parseReferences(Buffer.from([0x1f, 0x8b]))).toBeUndefined();
  });
});

const link = (kind: Link["kind"], of: string, tag?: string): Link => ({
  kind,
  repository: "app",
  tag,
  digest: of,
});
const image = (...blobs: string[]): References => ({ blobs, manifests: [] });
const index = (...manifests: string[]): References => ({ blobs: [], manifests });
const see = (links: Link[], blobs: string[], references: Record<string, References>) =>
  consistent({ links, blobs: new Set(blobs), references: new Map(Object.entries(references)) });

describe("what is kept of what was seen", () => {
  const whole = [link("tag", A, "v1"), link("index", A, "v1"), link("revision", A), link("layer", B)];

  test("is all of a registry that is whole", () => {
    expect(see(whole, [A, B], { [A]: image(B) })).toEqual({ links: whole, damage: [] });
  });

  test("is no tag whose image was deleted meanwhile, and that is no damage", () => {
    const { links, damage } = see(
      whole.filter(({ kind }) => kind !== "revision"),
      [A, B],
      {},
    );
    expect(links).toEqual([link("layer", B)]);
    expect(damage).toEqual([]);
  });

  test("is no former image of a tag that is gone, or whose image of now is gone", () => {
    const links = [link("index", A, "v1"), link("tag", C, "v1"), link("revision", A), link("layer", B)];
    expect(see(links, [A, B], { [A]: image(B) }).links).toEqual([link("revision", A), link("layer", B)]);
  });

  test("is no image that lacks a blob, nor a tag of it, and that is named as damage", () => {
    const { links, damage } = see(whole, [A], { [A]: image(B) });
    expect(links).toEqual([]);
    expect(damage).toEqual([`app:v1 lacks ${B}`]);
  });

  test("is no link without its blob that a garbage collection has left, without a word", () => {
    const dangling = link("layer", C);
    expect(see([...whole, dangling], [A, B], { [A]: image(B) })).toEqual({ links: whole, damage: [] });
  });

  test("is no image whose layer has no link in its repository", () => {
    const { links, damage } = see(
      whole.filter(({ kind }) => kind !== "layer"),
      [A, B],
      { [A]: image(B) },
    );
    expect(links).toEqual([]);
    expect(damage).toEqual([`app:v1: app has no link to ${B}`]);
  });

  test("is no index without one of its images: damage where a tag names it, a push that came late else", () => {
    const references = { [A]: image(B), [D]: index(A, C), [E]: index(D) };
    const untagged = [link("revision", A), link("revision", D), link("revision", E), link("layer", B)];
    const pushed = see(untagged, [A, B, D, E], references);
    expect(pushed).toEqual({ links: [link("revision", A), link("layer", B)], damage: [] });
    const tagged = see([link("tag", E, "v1"), ...untagged], [A, B, D, E], references);
    expect(tagged.links).toEqual([link("revision", A), link("layer", B)]);
    expect(tagged.damage).toEqual(
      [`app:v1 lacks the manifest ${D}`, `app:v1 lacks the manifest ${C}`].sort(),
    );
  });

  test("is a cache of BuildKit with its layers, which its index lists beside its configuration", () => {
    const cache = parseReferences(
      Buffer.from(
        JSON.stringify({
          mediaType: "application/vnd.oci.image.index.v1+json",
          manifests: [
            { mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest: B },
            { mediaType: "application/vnd.buildkit.cacheconfig.v0", digest: C },
          ],
        }),
      ),
    );
    const links = [link("tag", A, "cache"), link("revision", A), link("layer", B), link("layer", C)];
    expect(see(links, [A, B, C], { [A]: cache ?? image() })).toEqual({ links, damage: [] });
    expect(see(links, [A, B], { [A]: cache ?? image() }).damage).toEqual([`app:cache lacks ${C}`]);
  });

  test("names the tag of an index whose image is damaged", () => {
    const references = { [A]: image(B), [D]: index(A) };
    const links = [link("tag", D, "v1"), link("revision", A), link("revision", D), link("layer", B)];
    expect(see(links, [A, D], references).damage).toContain(`app:v1 lacks ${B}`);
  });

  test("is whole by itself, whatever was seen, and looking again finds nothing more", () => {
    const digests = [A, B, C, D, E];
    const any = fc.constantFrom(...digests);
    const links = fc.array(
      fc
        .tuple(
          fc.constantFrom<Link["kind"]>("tag", "index", "revision", "layer"),
          any,
          fc.constantFrom("v1", "v2"),
        )
        .map(([kind, of, tag]) => link(kind, of, kind === "tag" || kind === "index" ? tag : undefined)),
    );
    const references = fc.dictionary(
      any,
      fc.record({ blobs: fc.array(any, { maxLength: 2 }), manifests: fc.array(any, { maxLength: 2 }) }),
    );
    fc.assert(
      fc.property(links, fc.uniqueArray(any), references, (seen, blobs, of) => {
        const kept = see(seen, blobs, of).links;
        const again = see(kept, blobs, of);
        expect(again).toEqual({ links: kept, damage: [] });
        const has = (kind: Link["kind"], what: string) =>
          kept.some((one) => one.kind === kind && one.digest === what);
        for (const one of kept) {
          expect(blobs).toContain(one.digest);
          if (one.kind === "layer") continue;
          expect(has("revision", one.digest)).toBe(true);
          for (const blob of of[one.digest]?.blobs ?? []) expect(has("layer", blob)).toBe(true);
          for (const child of of[one.digest]?.manifests ?? []) expect(has("revision", child)).toBe(true);
        }
      }),
    );
  });
});
