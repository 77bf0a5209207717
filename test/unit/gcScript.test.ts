import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadJobScript } from "../../src/render/templates.js";
import fc from "../support/properties.js";

/** The job of the garbage collection, on made-up storages, with a collector that only notes that it ran. */

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "collect-"));
  writeFileSync(join(folder, "registry"), '#!/bin/sh\necho "$@" >> "$STORAGE/../ran"\n');
  chmodSync(join(folder, "registry"), 0o755);
});
// Thousands of small files take a while on a busy machine.
afterAll(() => rmSync(folder, { recursive: true, force: true }), 60_000);

/** A manifest by a small number. */
interface Manifest {
  tags: string[];
  /** A tag that names another manifest (sha256-<digest>.sig), there or not: a signature's. */
  signs?: number | undefined;
  /** Numbers of manifests that it holds. */
  holds: number[];
  subject: number | undefined;
}

const hexOf = (number: number) => number.toString(16).padStart(64, "0");
const digestOf = (number: number) => `sha256:${hexOf(number)}`;

/** Writes manifests into a repository of a storage, by default a new one; returns its folder. */
function storageOf(
  manifests: readonly Manifest[],
  repository: string,
  storage = mkdtempSync(join(folder, "storage-")),
  first = 0,
): string {
  const [hexAt, digestAt] = [
    (number: number) => hexOf(first + number),
    (number: number) => digestOf(first + number),
  ];
  const v2 = join(storage, "docker/registry/v2");
  const write = (path: string, text: string) => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  };
  manifests.forEach(({ tags, signs, holds, subject }, number) => {
    const hex = hexAt(number);
    const names = [...tags, ...(signs === undefined ? [] : [`sha256-${hexAt(signs)}.sig`])];
    const body = {
      manifests: holds.map((child) => ({ digest: digestAt(child) })),
      ...(subject === undefined ? {} : { subject: { digest: digestAt(subject) } }),
    };
    write(join(v2, "blobs/sha256", hex.slice(0, 2), hex, "data"), JSON.stringify(body));
    const links = join(v2, "repositories", repository, "_manifests");
    write(join(links, "revisions/sha256", hex, "link"), `sha256:${hex}`);
    // No two manifests have the same tag.
    for (const name of names) {
      const tag = `${name}-${number}`;
      write(join(links, "tags", tag, "current/link"), `sha256:${hex}`);
      write(join(links, "tags", tag, "index/sha256", hex, "link"), `sha256:${hex}`);
    }
  });
  return storage;
}

/** The rule, said once more: a tag's manifest, what a needed one holds, and what refers to a needed one, by its tag too. */
function needed(manifests: readonly Manifest[]): Set<number> {
  const keep = new Set(
    manifests.flatMap(({ tags, signs = 0 }, number) =>
      tags.length > 0 || signs >= manifests.length ? [number] : [],
    ),
  );
  for (let size = -1; size !== keep.size; ) {
    size = keep.size;
    manifests.forEach(({ holds, signs, subject }, number) => {
      if (signs !== undefined && keep.has(signs)) keep.add(number);
      // What a manifest mentions in any way counts as held.
      if (keep.has(number))
        for (const other of [...holds, ...(subject === undefined ? [] : [subject])]) keep.add(other);
      if (subject !== undefined && [subject, ...holds].some((other) => keep.has(other))) keep.add(number);
    });
  }
  return keep;
}

const run = (script: string, storage: string, deadline: number, flags: string[], path = folder) =>
  execa("sh", ["-c", script, "gc", "config.yml", String(deadline), ...flags], {
    env: { PATH: `${path}:${process.env.PATH}`, STORAGE: storage },
    reject: false,
  });
const collect = (storage: string, deadline: number, ...flags: string[]) =>
  run(loadJobScript("gc"), storage, deadline, flags);

/** Later than a busy machine needs. */
const soon = () => Math.floor(Date.now() / 1000) + 600;
const revisionsOf = (storage: string, repository: string) =>
  readdirSync(
    join(storage, "docker/registry/v2/repositories", repository, "_manifests/revisions/sha256"),
  ).sort();

function tagsOf(storage: string, repository: string): string[] {
  const folder = join(storage, "docker/registry/v2/repositories", repository, "_manifests/tags");
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}

test("exactly the manifests that no tag needs go, of each repository", async () => {
  const manifest = (count: number) =>
    fc.record({
      tags: fc.subarray(["latest", "v1.0"]),
      signs: fc.option(fc.nat(count + 1), { nil: undefined }),
      holds: fc.uniqueArray(fc.nat(count - 1), { maxLength: 3 }),
      subject: fc.option(fc.nat(count - 1), { nil: undefined }),
    });
  const content = fc
    .integer({ min: 1, max: 9 })
    .chain((count) => fc.array(manifest(count), { minLength: count, maxLength: count }));
  const repository = fc.record({ name: fc.constantFrom("app", "team/app", "a/b/c-d_e"), manifests: content });
  await fc.assert(
    fc.asyncProperty(fc.array(repository, { minLength: 1, maxLength: 8 }), async (written) => {
      const storage = mkdtempSync(join(folder, "storage-"));
      const repositories = written.map(({ name, manifests }, index) => {
        const [repository, first] = [`${name}-${index}`, index * 100];
        storageOf(manifests, repository, storage, first);
        return { repository, first, manifests, keep: needed(manifests), all: manifests.map((_, at) => at) };
      });
      const going = repositories.flatMap(({ repository, first, keep, all }) =>
        all
          .filter((number) => !keep.has(number))
          .map((number) => `goes ${repository}@${digestOf(first + number)}`),
      );
      const said = [...going.sort(), "freed 0 0"];
      const dry = await collect(storage, soon(), "--delete-untagged", "--dry-run");
      expect(dry.exitCode, dry.stderr).toBe(0);
      expect(dry.stdout.split("\n")).toEqual(said);
      for (const { repository, first, all } of repositories)
        expect(revisionsOf(storage, repository)).toEqual(all.map((number) => hexOf(first + number)));
      const done = await collect(storage, soon(), "--delete-untagged");
      expect(done.stdout.split("\n")).toEqual(said);
      for (const { repository, first, manifests, keep } of repositories) {
        expect(revisionsOf(storage, repository)).toEqual([...keep].map((at) => hexOf(first + at)).sort());
        const tags = manifests.flatMap(({ tags, signs }, number) => [
          ...tags.map((name) => `${name}-${number}`),
          ...(signs === undefined || !keep.has(number)
            ? []
            : [`sha256-${hexOf(first + signs)}.sig-${number}`]),
        ]);
        expect(tagsOf(storage, repository)).toEqual(tags.sort());
      }
    }),
    // What is found is told, however long it would take to find the smallest example.
    { numRuns: 6, interruptAfterTimeLimit: 90_000 },
  );
});

const TAGGED: Manifest = { tags: ["latest"], holds: [], subject: undefined };
const UNTAGGED: Manifest = { tags: [], holds: [], subject: undefined };

test("nothing is removed when its time is over, or a tag cannot be read", async () => {
  const late = storageOf([UNTAGGED], "app");
  const { exitCode, stderr } = await collect(late, soon() - 1200, "--delete-untagged");
  expect(exitCode).toBe(1);
  expect(stderr).toContain("there is no time left");
  expect(revisionsOf(late, "app")).toHaveLength(1);

  const damaged = storageOf([TAGGED, UNTAGGED], "app");
  writeFileSync(
    join(damaged, "docker/registry/v2/repositories/app/_manifests/tags/latest-0/current/link"),
    "",
  );
  const refused = await collect(damaged, soon(), "--delete-untagged");
  expect(refused.exitCode).toBe(1);
  expect(refused.stderr).toContain("the link of a tag is damaged");
  expect(revisionsOf(damaged, "app")).toHaveLength(2);
});

test("each manifest is looked at once, in a long chain and where many list each other", async () => {
  const chain = 60;
  const manifests: Manifest[] = Array.from({ length: chain }, (_, number) => ({
    tags: number === 0 ? ["latest"] : [],
    holds: number + 1 < chain ? [number + 1] : [],
    subject: undefined,
  }));
  // Each of these holds all of the others, and one has a tag.
  const ring = Array.from({ length: 20 }, (_, number) => chain + number);
  for (const number of ring)
    manifests.push({ tags: number === chain ? ["ring"] : [], holds: ring, subject: undefined });
  const storage = storageOf([...manifests, UNTAGGED], "app");
  const looked = join(storage, "looked");
  const noting = loadJobScript("gc").replace("key = queue[at]", `$&; print key > "${looked}"`);
  const { exitCode, stdout, stderr } = await run(noting, storage, soon(), ["--delete-untagged"]);
  expect(exitCode, stderr).toBe(0);
  const keys = readFileSync(looked, "utf8").trim().split("\n");
  expect(keys.sort()).toEqual(manifests.map((_, number) => `app ${digestOf(number)}`));
  expect(stdout.split("\n")).toEqual([`goes app@${digestOf(manifests.length)}`, "freed 0 0"]);
  expect(revisionsOf(storage, "app")).toHaveLength(manifests.length);
});

test.each([
  ["awk", "--delete-untagged"],
  ["cp", "--delete-untagged", "--dry-run"],
])("a slow %s is ended at the deadline, and nothing is removed", async (program, ...flags) => {
  const [now, deadline] = [1_000_000, 1_000_003];
  const slow = mkdtempSync(join(folder, "slow-"));
  const stand = (name: string, script: string) =>
    writeFileSync(join(slow, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  // The clock stands still, however slow this machine is, until the program is ended that never ends by itself.
  writeFileSync(join(slow, "now"), String(now));
  stand("date", `cat '${slow}/now'`);
  stand(program, "exec sleep 1000");
  stand(
    "timeout",
    `seconds=$1; shift
if [ "$1" != ${program} ]; then exec "$@"; fi
PATH='${process.env.PATH}'; timeout 0.1 '${slow}/${program}'
echo "$seconds" > '${slow}/seconds'; echo ${deadline} > '${slow}/now'; exit 124`,
  );
  const storage = storageOf([UNTAGGED], "app");
  const { exitCode, stderr } = await run(loadJobScript("gc"), storage, deadline, flags, `${slow}:${folder}`);
  expect([exitCode, stderr]).toEqual([1, "there is no time left for the gc"]);
  expect(readFileSync(join(slow, "seconds"), "utf8")).toBe(`${deadline - now}\n`);
  expect(revisionsOf(storage, "app")).toHaveLength(1);
});

test("an empty storage has nothing to free, and an unknown flag is refused", async () => {
  const empty = mkdtempSync(join(folder, "storage-"));
  expect(await collect(empty, soon())).toMatchObject({ exitCode: 0, stdout: "freed 0 0" });
  expect((await collect(empty, soon(), "--all")).exitCode).toBe(2);
});

test("is clean under shellcheck", async () => {
  const { exitCode, stdout } = await execa("shellcheck", ["-s", "sh", "-"], {
    input: loadJobScript("gc"),
    reject: false,
  });
  expect(exitCode, stdout).toBe(0);
});
