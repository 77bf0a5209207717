/** What the gateway reads of the registry's files, in a real folder; everything else is the registry's to say. */
import { createHash } from "node:crypto";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { AGAIN, filesOf, REGISTRY_FOLDER } from "../../../src/services/gateway/program/registryFiles.js";
import { parse, splitQuery } from "../../../src/services/gateway/program/request.js";
import { Dictionary } from "./standIn.js";

const OCI = "application/vnd.oci.image.manifest.v1+json";
const INDEX = "application/vnd.oci.image.index.v1+json";
const DOCKER = "application/vnd.docker.distribution.manifest.v2+json";
const LIST = "application/vnd.docker.distribution.manifest.list.v2+json";
const ALL = [OCI, INDEX, DOCKER, LIST].join(", ");
const IMAGE = { schemaVersion: 2, mediaType: OCI, config: {}, layers: [] };
const LAYER = "a layer";

const digestOf = (bytes: string | Buffer): string =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

let root = "";
let now = 0;
let read: ReturnType<typeof filesOf>;

beforeEach(() => {
  root = fs.mkdtempSync(`${fs.realpathSync(tmpdir())}/files-`);
  onTestFinished(() => fs.rmSync(root, { recursive: true }));
  now = 0;
  read = filesOf(fs, root, new Dictionary(() => now));
});

const at = (path: string): string => `${root}/${REGISTRY_FOLDER}/${path}`;
function write(path: string, content: string | Buffer): void {
  fs.mkdirSync(dirname(at(path)), { recursive: true });
  fs.writeFileSync(at(path), content);
}
const blobOf = (digest: string): string => `blobs/sha256/${digest.slice(7, 9)}/${digest.slice(7)}/data`;
const tagLink = (tag: string): string => `repositories/a/b/_manifests/tags/${tag}/current/link`;
const revisionLink = (digest: string): string =>
  `repositories/a/b/_manifests/revisions/sha256/${digest.slice(7)}/link`;
const layerLink = (digest: string): string => `repositories/a/b/_layers/sha256/${digest.slice(7)}/link`;

/** Stores a manifest as the registry does. @returns its digest */
function store(manifest: object | string | Buffer, tag = "v1"): string {
  const bytes =
    typeof manifest === "string" || Buffer.isBuffer(manifest) ? manifest : JSON.stringify(manifest);
  const digest = digestOf(bytes);
  write(blobOf(digest), bytes);
  write(revisionLink(digest), digest);
  write(tagLink(tag), digest);
  return digest;
}

function storeLayer(): string {
  const digest = digestOf(LAYER);
  write(blobOf(digest), LAYER);
  write(layerLink(digest), digest);
  return digest;
}

const named = (uri: string) => parse("GET", splitQuery(uri));

function ask(end: string, headers: Record<string, string> = { Accept: ALL }, isFresh = false) {
  const asked = named(`/v2/a/b/${end}`);
  if (asked === undefined) throw new Error(`${end} names nothing`);
  return read(asked, headers, isFresh);
}

describe("a manifest", () => {
  test("is read by its tag and by its digest", () => {
    const digest = store(IMAGE);
    const expected = {
      status: 200,
      body: JSON.stringify(IMAGE),
      headers: {
        "Content-Type": OCI,
        "Docker-Content-Digest": digest,
        "Docker-Distribution-Api-Version": "registry/2.0",
        ETag: `"${digest}"`,
        "X-Content-Type-Options": "nosniff",
      },
    };
    for (const reference of ["v1", digest]) expect(ask(`manifests/${reference}`)).toEqual(expected);
  });

  test.each([
    [IMAGE, OCI],
    [{ ...IMAGE, mediaType: DOCKER }, DOCKER],
    [{ schemaVersion: 2, config: {}, layers: [] }, OCI],
    [{ schemaVersion: 2, manifests: [] }, INDEX],
    [{ schemaVersion: 2, mediaType: LIST, manifests: [] }, LIST],
  ])("%j has the type %s", (manifest, type) => {
    store(manifest);
    expect(ask("manifests/v1")).toMatchObject({ headers: { "Content-Type": type } });
    expect(ask("manifests/v1", { Accept: `text/html, ${type.toUpperCase()}; q=0.5` })).toBeDefined();
    for (const Accept of ["", "*/*", "application/*", `${type}x`, `${type}; x="`])
      expect(ask("manifests/v1", { Accept }), Accept).toBeUndefined();
    expect(ask("manifests/v1", {})).toBeUndefined();
  });

  test.each([
    ["another schema", { ...IMAGE, schemaVersion: 1 }],
    ["layers of the first schema", { ...IMAGE, fsLayers: [] }],
    ["a type that is not its content's", { ...IMAGE, mediaType: INDEX }],
    ["an unknown type", { ...IMAGE, mediaType: "application/json" }],
    ["the content of both", { ...IMAGE, manifests: [] }],
    ["the content of neither", { schemaVersion: 2 }],
    ["a list that is none", { schemaVersion: 2, manifests: {} }],
    ["no object", "null"],
    ["no JSON", "{"],
    [
      "text that is not UTF-8",
      Buffer.from(`${JSON.stringify({ ...IMAGE, a: "X" }).replace("X", "\xff")}`, "latin1"),
    ],
    ["more bytes than go into a buffer", { ...IMAGE, a: "a".repeat(70_000) }],
  ])("with %s is the registry's", (_, manifest) => {
    store(manifest);
    expect(ask("manifests/v1")).toBeUndefined();
  });

  test("that a client has is not sent again", () => {
    const digest = store(IMAGE);
    for (const tag of [digest, `"${digest}"`])
      expect(ask("manifests/v1", { Accept: ALL, "If-None-Match": tag })).toMatchObject({
        status: 304,
        body: "",
      });
    expect(ask("manifests/v1", { Accept: ALL, "If-None-Match": `"${digestOf("x")}"` })).toMatchObject({
      status: 200,
    });
    for (const tag of ["*", `W/"${digest}"`, `"x", "${digest}"`])
      expect(ask("manifests/v1", { Accept: ALL, "If-None-Match": tag }), tag).toBeUndefined();
  });

  test("is gone with its link, though its bytes are remembered", () => {
    const digest = store(IMAGE);
    expect(ask("manifests/v1")).toBeDefined();
    fs.rmSync(at(revisionLink(digest)));
    for (const reference of ["v1", digest]) expect(ask(`manifests/${reference}`)).toBeUndefined();
  });

  test("of another repository is not read by its digest", () => {
    const digest = store(IMAGE);
    const asked = named(`/v2/a/c/manifests/${digest}`);
    expect(asked && read(asked, { Accept: ALL }, false)).toBeUndefined();
  });

  test("is the new one as soon as the tag has it", () => {
    store(IMAGE);
    expect(ask("manifests/v1")).toMatchObject({ body: JSON.stringify(IMAGE) });
    const other = { ...IMAGE, mediaType: DOCKER };
    store(other);
    expect(ask("manifests/v1")).toMatchObject({ body: JSON.stringify(other) });
  });

  test("whose bytes were damaged later is not there for who asks what a push may leave out", () => {
    const digest = store(IMAGE);
    expect(ask("manifests/v1")).toBeDefined();
    fs.truncateSync(at(blobOf(digest)));
    expect(ask("manifests/v1", { Accept: ALL }, true)).toBeUndefined();
  });
});

describe("a layer", () => {
  test("is sent from its file", () => {
    const digest = storeLayer();
    const expected = { digest, file: blobOf(digest).replace("blobs/sha256/", "") };
    for (const Range of ["bytes=0-", "bytes=6-6", "bytes=6-900", "bytes=-1", "bytes=-900"])
      expect(ask(`blobs/${digest}`, { Range }), Range).toEqual(expected);
    expect(ask(`blobs/${digest}`, {})).toEqual(expected);
  });

  test.each([
    ["Range", "bytes=7-"],
    ["Range", "bytes=3-2"],
    ["Range", "bytes=-0"],
    ["Range", "bytes=0-1,3-4"],
    ["Range", "bytes= 0-1"],
    ["Range", "lines=0-1"],
    ["Range", ""],
    ["If-Range", '"x"'],
    ["If-Match", "*"],
    ["If-None-Match", "*"],
    ["If-None-Match", `"${digestOf(LAYER)}"`],
    ["If-Modified-Since", "Mon, 30 Nov 2026 00:00:00 GMT"],
    ["If-Unmodified-Since", "Mon, 30 Nov 2026 00:00:00 GMT"],
  ])("with %s: %s is the registry's", (name, value) => {
    expect(ask(`blobs/${storeLayer()}`, { [name]: value })).toBeUndefined();
  });

  test("that a repository does not have is not sent, nor a manifest in its place", () => {
    const digest = storeLayer();
    const asked = named(`/v2/a/b/_layers/blobs/${digest}`) ?? named(`/v2/a/blobs/${digest}`);
    expect(asked && read(asked, {}, false)).toBeUndefined();
    expect(ask(`blobs/${store(IMAGE)}`, {})).toBeUndefined();
  });
});

test.each(["tags/list", "referrers/%", "blobs/sha512", "manifests/sha512"])("%s is the registry's", (end) => {
  const digest = store(IMAGE);
  const sha512 = `sha512:${"a".repeat(128)}`;
  expect(ask(end.replace("%", digest).replace("sha512", sha512))).toBeUndefined();
});

/** What may be wrong with a file, and every file of a read. */
const DAMAGES: Record<string, (path: string) => void> = {
  "is empty": (path) => fs.truncateSync(path),
  "is cut": (path) => fs.truncateSync(path, fs.statSync(path).size - 1),
  "is gone": (path) => fs.rmSync(path),
  "has a newline more": (path) => fs.appendFileSync(path, "\n"),
  "has other bytes": (path) => fs.writeFileSync(path, "x".repeat(fs.statSync(path).size)),
  "is in capitals": (path) => fs.writeFileSync(path, fs.readFileSync(path, "utf8").toUpperCase()),
  "is a folder": (path) => {
    fs.rmSync(path);
    fs.mkdirSync(path);
  },
};
const FILES: Record<string, () => { file: string; end: string }> = {
  "the link of a tag": () => {
    store(IMAGE);
    return { file: tagLink("v1"), end: "manifests/v1" };
  },
  "the link of a manifest": () => {
    const digest = store(IMAGE);
    return { file: revisionLink(digest), end: `manifests/${digest}` };
  },
  "the manifest of a tag": () => ({ file: blobOf(store(IMAGE)), end: "manifests/v1" }),
  "the link of a layer": () => {
    const digest = storeLayer();
    return { file: layerLink(digest), end: `blobs/${digest}` };
  },
};

describe.each(Object.entries(FILES))("if %s", (_, plant) => {
  test.each(Object.entries(DAMAGES))("%s, the registry is asked", (name, damage) => {
    const { file, end } = plant();
    damage(at(file));
    const isBeingWritten = file.endsWith("link") && /empty|cut/.test(name);
    expect(ask(end)).toBe(isBeingWritten ? AGAIN : undefined);
  });

  test("was well before, damage counts all the same", () => {
    const { file, end } = plant();
    expect(ask(end)).toBeDefined();
    if (file.endsWith("link")) {
      fs.writeFileSync(at(file), `sha256:${"A".repeat(64)}`);
      expect(ask(end)).toBeUndefined();
    }
  });

  test("may not be read, the registry is asked", () => {
    const { file, end } = plant();
    const access = {
      ...fs,
      readFileSync: ((path: string, encoding?: "utf8") => {
        if (path === at(file)) throw Object.assign(new Error("EACCES"), { code: "EACCES" });
        return fs.readFileSync(path, encoding);
      }) as typeof fs.readFileSync,
    };
    const asked = named(`/v2/a/b/${end}`);
    expect(
      asked && filesOf(access, root, new Dictionary(() => now))(asked, { Accept: ALL }, false),
    ).toBeUndefined();
  });

  test("is behind a symbolic link at any level, the registry is asked", () => {
    const { file, end } = plant();
    const outside = fs.mkdtempSync(`${tmpdir()}/outside-`);
    onTestFinished(() => fs.rmSync(outside, { recursive: true }));
    const parts = `${REGISTRY_FOLDER}/${file}`.split("/");
    for (const length of parts.keys()) {
      const path = `${root}/${parts.slice(0, length + 1).join("/")}`;
      const moved = `${outside}/${length}`;
      fs.renameSync(path, moved);
      fs.symlinkSync(moved, path);
      now += 60_000;
      expect(fs.existsSync(at(file))).toBe(true);
      expect(ask(end), path).toBeUndefined();
      fs.rmSync(path);
      fs.renameSync(moved, path);
    }
    now += 60_000;
    expect(ask(end)).toBeDefined();
  });
});

test.each(["is empty", "is gone", "is a folder"])("a layer whose file %s is the registry's", (damage) => {
  const digest = storeLayer();
  DAMAGES[damage]?.(at(blobOf(digest)));
  expect(ask(`blobs/${digest}`, {})).toBeUndefined();
});
