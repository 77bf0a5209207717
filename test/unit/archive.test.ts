import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { proveArchive } from "../../src/backup/backupProof.js";
import { packEntries, packStream } from "../../src/backup/format/entries.js";
import { FOOTER_LENGTH, footer, parseFooter } from "../../src/backup/format/footer.js";
import { journalOf } from "../../src/backup/format/journal.js";
import { memberBlobs, openArchive } from "../../src/backup/format/reader.js";
import type { Snapshot } from "../../src/backup/format/snapshot.js";
import { ArchiveWriter } from "../../src/backup/format/writer.js";
import { Secret } from "../../src/credentials/secret.js";
import { ExitCode } from "../../src/errors.js";
import type { Link } from "../../src/storage/layout.js";
import { ProgressMeter } from "../../src/terminal/progress.js";

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "archive-"));
  file = join(folder, "registry.backup");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const OWNER = { uid: 10001, gid: 10001 };
const CONFIG = "domain: forge.example\n";
const USERS = "ann:$2b$12$abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0\n";
const digestOf = (bytes: Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

async function* pieces(bytes: Uint8Array): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 60_000) yield Buffer.from(bytes.subarray(at, at + 60_000));
}

/** An image of all the given blobs. */
function imageOf(blobs: readonly Uint8Array[]): { all: Uint8Array[]; links: Link[]; digest: string } {
  const [config, ...layers] = blobs.map((bytes) => ({ digest: digestOf(bytes), size: bytes.length }));
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, config, layers }));
  const digest = digestOf(manifest);
  const link = (kind: Link["kind"], of: string, tag?: string): Link => ({
    kind,
    repository: "team/app",
    tag,
    digest: of,
  });
  return {
    all: [...blobs, manifest],
    digest,
    links: [
      link("tag", digest, "v1"),
      link("index", digest, "v1"),
      link("revision", digest),
      ...[...new Set(blobs.map(digestOf))].map((of) => link("layer", of)),
    ],
  };
}

/** Backs up blobs, as a run would; those that the file has are not read. */
async function write(blobs: readonly Uint8Array[], stop?: { after: number }): Promise<ArchiveWriter> {
  const writer = await ArchiveWriter.open(file, "forge", OWNER);
  try {
    const { all, links } = imageOf(blobs);
    let added = 0;
    for (const bytes of all) {
      const digest = digestOf(bytes);
      if (writer.has(digest)) continue;
      if (added++ === stop?.after) return writer;
      expect(await writer.addBlob({ digest, size: bytes.length }, pieces(bytes))).toBe(true);
    }
    const sizes = new Map(all.map((bytes) => [digestOf(bytes), bytes.length]));
    const snapshot: Snapshot = {
      stack: "forge",
      time: new Date("2026-11-24T12:00:00Z"),
      tool: "hephaestus 0",
      links,
      blobs: [...sizes].map(([digest, size]) => ({ digest, size })),
      references: new Map(),
      users: [{ user: "ann", changed: new Date("2026-01-02T03:04:05Z") }],
      damage: [],
    };
    await writer.finish(snapshot, CONFIG, new Secret(USERS));
    return writer;
  } finally {
    await writer.close();
  }
}

const silent = () => new ProgressMeter({ progress: () => undefined });
const faults = async () => proveArchive(await openArchive(file), silent());

async function contents(): Promise<Map<string, string>> {
  const { index, snapshot } = await openArchive(file);
  const wanted = new Set(snapshot.blobs.map(({ digest }) => digest));
  const found = new Map<string, string>();
  for (const member of index.members.filter((one) => one.blobs)) {
    for await (const { digest, content } of memberBlobs(file, member, (blob) => wanted.has(blob))) {
      const hash = createHash("sha256");
      for await (const chunk of content) hash.update(chunk);
      found.set(digest, `sha256:${hash.digest("hex")}`);
    }
  }
  return found;
}

/** Blobs small and large, compressed or not. */
const blob = fc
  .tuple(fc.constantFrom(0, 1, 511, 512, 5_000, 300_000, 700_000), fc.nat(), fc.boolean())
  .map(([size, seed, zipped]) => {
    const bytes = Buffer.alloc(size);
    for (let at = 0, state = seed + 1; at < size; at++) {
      state = (state * 1103515245 + 12345) % 2147483648;
      bytes[at] = seed % 3 === 0 ? state >> 16 : seed;
    }
    if (zipped) Buffer.from([0x1f, 0x8b]).copy(bytes);
    return bytes;
  });
const blobs = fc.array(blob, { minLength: 1, maxLength: 6 });
const fresh = () => {
  for (const path of [file, journalOf(file)]) rmSync(path, { force: true });
};

test("what is written is read back, byte for byte, and the file is for its owner alone", async () => {
  await fc.assert(
    fc.asyncProperty(blobs, async (list) => {
      fresh();
      await write(list);
      const found = await contents();
      for (const bytes of imageOf(list).all) expect(found.get(digestOf(bytes))).toBe(digestOf(bytes));
      expect(await faults()).toEqual([]);
    }),
    { numRuns: 25 },
  );
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const archive = await openArchive(file);
  expect([archive.config, archive.htpasswd?.reveal(), archive.broken]).toEqual([CONFIG, USERS, false]);
  expect(archive.snapshot.users).toEqual([{ user: "ann", changed: new Date("2026-01-02T03:04:05Z") }]);
});

test("a file that is cut anywhere is resumed to the same content", async () => {
  await fc.assert(
    fc.asyncProperty(blobs, fc.double({ min: 0, max: 1, noNaN: true }), async (list, cut) => {
      fresh();
      await write(list);
      const { length } = readFileSync(file);
      truncateSync(file, Math.floor((length - 1) * cut));
      writeFileSync(journalOf(file), JSON.stringify({ stack: "forge", completeLength: 0 }));
      await expect(openArchive(file)).rejects.toThrow(/no complete backup/);
      await write(list);
      expect(await faults()).toEqual([]);
      expect((await contents()).size).toBe(new Set(imageOf(list).all.map(digestOf)).size);
    }),
    { numRuns: 40 },
  );
});

test("a second run that is cut anywhere leaves the first backup usable, and is resumed", async () => {
  await fc.assert(
    fc.asyncProperty(
      blobs,
      blobs,
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.boolean(),
      async (first, second, cut, hasJournal) => {
        fresh();
        await write(first);
        const before = readFileSync(file);
        await write(second);
        const { length } = readFileSync(file);
        truncateSync(file, before.length + Math.floor((length - 1 - before.length) * cut));
        if (hasJournal)
          writeFileSync(journalOf(file), JSON.stringify({ stack: "forge", completeLength: before.length }));
        expect((await openArchive(file)).snapshot.links).toEqual(imageOf(first).links);
        expect(await faults()).toEqual([]);
        await write(second);
        expect(readFileSync(file).subarray(0, before.length).equals(before)).toBe(true);
        expect((await openArchive(file)).snapshot.links).toEqual(imageOf(second).links);
        expect(await faults()).toEqual([]);
      },
    ),
    { numRuns: 25 },
  );
});

test("a run that stops in the middle is resumed without reading again what is there", async () => {
  const list = [1, 2, 3, 4].map((seed) => Buffer.alloc(400_000, seed));
  await write(list, { after: 3 });
  const writer = await ArchiveWriter.open(file, "forge", OWNER);
  expect(writer.resumed).toEqual({ blobs: 3, bytes: 1_200_000 });
  await writer.close();
  await write(list);
  expect(await faults()).toEqual([]);
});

test("each flipped bit of a blob's bytes is found, and its blob is named", async () => {
  // Random digits: they get smaller, and no other deflate stream of that length gives the same.
  const list = [
    Buffer.from(randomBytes(200_000).toString("hex")),
    Buffer.from([0x1f, 0x8b, ...Buffer.alloc(300_000, 7)]),
  ];
  await write(list);
  const whole = readFileSync(file);
  const { index } = await openArchive(file);
  const [member] = index.members;
  await fc.assert(
    fc.asyncProperty(fc.nat((member?.length ?? 0) - 30), fc.nat(7), async (at, bit) => {
      const bytes = Buffer.from(whole);
      // Behind the ten bytes of the header, of which the time says nothing.
      const place = (member?.offset ?? 0) + 10 + at;
      bytes[place] = (bytes[place] ?? 0) ^ (1 << bit);
      writeFileSync(file, bytes);
      expect((await faults()).join("\n")).toContain(member?.blobs?.[0]?.digest);
    }),
    { numRuns: 60 },
  );
});

test("a blob whose content is not its digest is left out, and the rest is written", async () => {
  const writer = await ArchiveWriter.open(file, "forge", OWNER);
  const large = Buffer.alloc(500_000, 1);
  const small = Buffer.from("small");
  const wrong = { digest: digestOf(Buffer.from("other")), size: large.length };
  expect(await writer.addBlob(wrong, pieces(large))).toBe(false);
  expect(await writer.addBlob({ ...wrong, size: small.length }, pieces(small))).toBe(false);
  expect(writer.length).toBe(0);
  expect(writer.has(wrong.digest)).toBe(false);
  await writer.close();
  await write([large]);
  expect(await faults()).toEqual([]);
});

test("a backup of another stack, and a file that is none, are refused and stay as they are", async () => {
  await write([Buffer.from("x")]);
  const before = readFileSync(file);
  await expect(ArchiveWriter.open(file, "anvil", OWNER)).rejects.toMatchObject({ exitCode: ExitCode.usage });
  expect(readFileSync(file).equals(before)).toBe(true);
  writeFileSync(file, "notes");
  await expect(ArchiveWriter.open(file, "forge", OWNER)).rejects.toThrow(/exists and is not a backup/);
  expect(readFileSync(file, "utf8")).toBe("notes");
});

test("a backup of a newer version is refused with what to do", async () => {
  await write([Buffer.from("x")]);
  const { index } = await openArchive(file);
  expect(index.stack).toBe("forge");
  const { parseIndex } = await import("../../src/backup/format/snapshot.js");
  expect(() => parseIndex('{"version":2}', file)).toThrow(/version 2; this hephaestus reads version 1/);
});

test("the footer is a gzip member that tells a place, and nothing else is taken for one", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (offset, length) => {
      const bytes = footer({ offset, length });
      expect(bytes).toHaveLength(FOOTER_LENGTH);
      expect(parseFooter(bytes)).toEqual({ offset, length });
    }),
  );
  fc.assert(
    fc.property(fc.nat(FOOTER_LENGTH - 1), fc.integer({ min: 0, max: 7 }), (at, bit) => {
      const bytes = footer({ offset: 4711, length: 42 });
      bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
      const place = parseFooter(bytes);
      // A digit may become another one: the index behind it is proved by its own checksum.
      if (at < 16 || at >= 48) expect(place).toBeUndefined();
    }),
  );
});

test("plain tar reads it, names of any length included", async () => {
  const name = (length: number) => `docker/${"n".repeat(60)}/${"x".repeat(length)}`;
  const entry = (length: number) => ({ name: name(length), mode: 0o600, uid: 0, gid: 0, mtime: new Date(0) });
  const parts = [
    await packEntries([
      { ...entry(10), content: "short" },
      { ...entry(190), content: "long" },
    ]),
  ];
  for await (const chunk of packStream(entry(150), 600, pieces(Buffer.alloc(600, "s")))) parts.push(chunk);
  writeFileSync(file, Buffer.concat(parts));
  const { all, exitCode } = await execa("tar", ["-xf", file, "-C", folder], { reject: false, all: true });
  expect([exitCode, all]).toEqual([0, ""]);
  expect(readFileSync(join(folder, name(10)), "utf8")).toBe("short");
  expect(readFileSync(join(folder, name(190)), "utf8")).toBe("long");
  expect(readFileSync(join(folder, name(150)), "utf8")).toBe("s".repeat(600));
});

test("content of another length than was said is refused", async () => {
  const entry = { name: "x", mode: 0o600, uid: 0, gid: 0, mtime: new Date(0) };
  for (const size of [2, 4]) {
    const read = async () => {
      for await (const _chunk of packStream(entry, size, pieces(Buffer.from("abc"))));
    };
    await expect(read()).rejects.toThrow(/has not/);
  }
});
