import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadJobScript } from "../../src/render/templates.js";
import { parseStoredTags } from "../../src/storage/storedTags.js";

let storage: string;

beforeEach(() => {
  storage = mkdtempSync(join(tmpdir(), "tags-"));
});
afterEach(() => rmSync(storage, { recursive: true, force: true }));

function write(path: string, text: string): void {
  const file = join(storage, "docker/registry/v2", path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

/** A tag as the registry stores it. Source: distribution, registry/storage/paths.go. */
function tag(repository: string, name: string, number: number, damage: "link" | "blob" | "" = ""): void {
  const hex = number.toString(16).padStart(64, "0");
  const manifests = `repositories/${repository}/_manifests`;
  write(`${manifests}/tags/${name}/current/link`, damage === "link" ? "" : `sha256:${hex}`);
  write(`${manifests}/revisions/sha256/${hex}/link`, `sha256:${hex}`);
  write(`blobs/sha256/${hex.slice(0, 2)}/${hex}/data`, damage === "blob" ? "" : "{}");
}

async function look() {
  const { stdout } = await execa("sh", ["-c", loadJobScript("tags")], { env: { STORAGE: storage } });
  return parseStoredTags(stdout.split("\n"));
}

test("a storage says which repositories have tags, and which tags name no manifest", async () => {
  expect(await look()).toEqual({ repositories: [], damaged: [] });
  tag("team/app", "1.0", 1);
  tag("team/app", "2.0", 2, "link");
  tag("team/app", "3.0", 3, "blob");
  tag("revisions/tags", "v1", 4);
  mkdirSync(join(storage, "docker/registry/v2/repositories/team/torn/_manifests/tags/v1"), {
    recursive: true,
  });
  mkdirSync(join(storage, "docker/registry/v2/repositories/team/emptied/_manifests/tags"), {
    recursive: true,
  });
  const { repositories, damaged } = await look();
  expect(repositories.sort()).toEqual(["revisions/tags", "team/app", "team/torn"]);
  expect(damaged.sort()).toEqual(["team/app:2.0", "team/app:3.0", "team/torn:v1"]);
});

test("a list that was cut off is no list", () => {
  expect(() => parseStoredTags(["has a", "repositories 2"])).toThrow(/incomplete/);
  expect(() => parseStoredTags(["has a"])).toThrow(/incomplete/);
});
