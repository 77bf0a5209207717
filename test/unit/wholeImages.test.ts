import { describe, expect, test } from "vitest";
import { wholeImages } from "../../src/backup/backupContent.js";
import { formatIndex, type NamedManifest, parseIndex } from "../../src/backup/ociLayout.js";
import type { Digest } from "../../src/registry/digest.js";
import { parseReferences, type References } from "../../src/registry/references.js";
import fc from "../support/properties.js";

const digest = (letter: string) => `sha256:${letter.repeat(64)}` as Digest;
const [A, B, C, D, E] = ["a", "b", "c", "d", "e"].map(digest) as [Digest, Digest, Digest, Digest, Digest];
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const of = (value: Digest) => ({ digest: value, size: undefined });

describe("the references of a manifest", () => {
  const parse = (value: unknown) => parseReferences(Buffer.from(JSON.stringify(value)));

  test("are its config, its layers and its children, each once, with their sizes", () => {
    expect(parse({ config: { digest: A, size: 7 }, layers: [{ digest: B }, { digest: B }] })).toEqual({
      blobs: [{ digest: A, size: 7 }, of(B)],
      config: A,
      manifests: [],
    });
    expect(parse({ manifests: [{ digest: A }, { digest: B }], subject: { digest: C } })).toEqual({
      blobs: [],
      manifests: [A, B],
      subject: C,
    });
    expect(parse({ fsLayers: [{ blobSum: A }] })).toEqual({ blobs: [of(A)], manifests: [] });
    expect(parse({ config: null, layers: [], subject: null })).toEqual({ blobs: [], manifests: [] });
  });

  test("do not hold foreign layers, which no registry has to have", () => {
    const foreign = { digest: B, urls: ["https://example.com/layer"] };
    expect(parse({ config: { digest: A }, layers: [foreign, { digest: C, urls: [] }] })?.blobs).toEqual([
      of(A),
      of(C),
    ]);
  });

  test("of BuildKit's cache are blobs, though its index lists them as manifests", () => {
    const manifests = [
      { mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest: B },
      { mediaType: "application/vnd.buildkit.cacheconfig.v0", digest: C },
    ];
    expect(parse({ manifests })).toEqual({ blobs: [of(B), of(C)], manifests: [] });
  });

  test("are none of what is no manifest", () => {
    for (const value of [null, 1, "x", [], {}, { layers: 1 }, { architecture: "amd64", os: "linux" }])
      expect(parse(value)).toBeUndefined();
    expect(parseReferences(Buffer.from([0x1f, 0x8b]))).toBeUndefined();
  });
});

const named = (value: Digest, tag: string | undefined): NamedManifest => ({
  repository: "app",
  tag,
  mediaType: MANIFEST,
  digest: value,
  size: 10,
});
const image = (...blobs: Digest[]): References => ({ blobs: blobs.map(of), manifests: [] });
const index = (...manifests: Digest[]): References => ({ blobs: [], manifests });
const judge = (list: NamedManifest[], blobs: Digest[], references: Record<string, References>) =>
  wholeImages({
    named: list,
    blobs: new Set(blobs),
    references: new Map(Object.entries(references) as Array<[Digest, References]>),
  });

describe("whole images", () => {
  test("are those whose blobs and children are there, children first", () => {
    const whole = judge([named(D, "v1")], [B, C], { [D]: index(A, E), [A]: image(B), [E]: image(B, C) });
    expect(whole.damage).toEqual([]);
    expect(whole.manifests).toEqual([A, E, D]);
    expect([...whole.blobs]).toEqual([
      [B, "app"],
      [C, "app"],
    ]);
  });

  test("are not those that lack a blob or a child, and each is named with what it lacks", () => {
    const references = { [D]: index(A, E), [A]: image(B) };
    const whole = judge([named(D, "v1"), named(A, "amd64"), named(A, undefined)], [], references);
    expect(whole.named).toEqual([]);
    expect(whole.damage).toEqual(
      [`app:v1 lacks ${B}`, `app:v1 lacks ${E}`, `app:amd64 lacks ${B}`, `app@${A} lacks ${B}`].sort(),
    );
  });

  test("stay whole when they are judged again, whatever was seen", () => {
    const any = fc.constantFrom(A, B, C, D, E);
    const references = fc.dictionary(
      any,
      fc.record({
        blobs: fc.array(any.map(of), { maxLength: 2 }),
        manifests: fc.array(any, { maxLength: 2 }),
      }),
    );
    fc.assert(
      fc.property(fc.uniqueArray(any), fc.uniqueArray(any), references, (tags, blobs, drawn) => {
        // No manifest can hold the hash of one that holds its own.
        const what = Object.fromEntries(
          Object.entries(drawn).map(([key, { blobs, manifests }]) => [
            key,
            { blobs, manifests: manifests.filter((child) => child > key) },
          ]),
        );
        const list = tags.map((value, at) => named(value, `v${at}`));
        const whole = judge(list, blobs, what);
        const again = judge(whole.named, blobs, what);
        expect(again).toEqual({ ...whole, damage: [] });
        for (const blob of whole.blobs.keys()) expect(blobs).toContain(blob);
        for (const manifest of whole.manifests) expect(what).toHaveProperty([manifest]);
      }),
    );
  });
});

describe("the index of a layout", () => {
  test("names every manifest, and is read back", () => {
    const list = [named(A, "1.0"), { ...named(B, undefined), repository: "my.team/app__x" }];
    const text = formatIndex(list);
    expect(JSON.parse(text)).toMatchObject({
      schemaVersion: 2,
      manifests: [{ annotations: { "org.opencontainers.image.ref.name": "app:1.0" } }, { digest: B }],
    });
    expect(parseIndex(text)).toEqual({ named: list, nameless: [] });
  });

  test("of another program may have names that no registry takes", () => {
    const entry = (name: string | undefined) => ({
      mediaType: MANIFEST,
      digest: A,
      size: 1,
      ...(name === undefined ? {} : { annotations: { "org.opencontainers.image.ref.name": name } }),
    });
    const manifests = [
      entry("latest"),
      entry(undefined),
      entry("Team/App:1"),
      entry("docker.io/library/alpine:3"),
    ];
    const { named: found, nameless } = parseIndex(JSON.stringify({ manifests }));
    expect(nameless).toEqual(["latest", A, "Team/App:1"]);
    expect(found.map(({ repository, tag }) => [repository, tag])).toEqual([
      ["docker.io/library/alpine", "3"],
    ]);
  });

  test("cannot lead out of its folder", () => {
    const manifests = [{ mediaType: MANIFEST, digest: "sha256:../../../etc/passwd", size: 1 }];
    expect(() => parseIndex(JSON.stringify({ manifests }))).toThrow("at manifests.0.digest: is no digest");
    expect(() => parseIndex("{}")).toThrow("at manifests: ");
  });
});
