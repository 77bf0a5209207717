import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { chooseRecord, withImages } from "../../src/deploy/rollBackStack.js";
import { OperatorError } from "../../src/errors.js";
import { packFiles, unpackFiles } from "../../src/history/packedFiles.js";
import {
  type Event,
  type EventKind,
  type HistoryRecord,
  lastDone,
  outdated,
  parseRecord,
  readRecords,
  recordConfig,
  writeRecord,
} from "../../src/history/records.js";
import { readOnlyUntil } from "../../src/maintenance/lease.js";
import { parseGcOutput } from "../../src/maintenance/runGc.js";
import type { NewConfig } from "../../src/swarm/configs.js";
import { FakeEngine } from "../support/fakeEngine.js";
import fc from "../support/properties.js";
import { service } from "./swarmObjects.js";

const EVENT: Event = {
  kind: "rotate",
  at: new Date("2026-11-24T10:00:00Z"),
  by: "ann@forge",
  note: "new password of ann",
  done: ["gc", "backup"],
  failed: ["prune"],
  config: "ab".repeat(32),
  generations: { users: 3, machines: 1 },
  images: { registry: `registry:2.8.3@sha256:${"1".repeat(64)}`, gateway: "nginx:1.28.0-alpine" },
};

/** A config as the engine gives it. */
const inspected = ({ name, labels, content }: NewConfig) => ({
  Spec: { Name: name, Labels: { ...labels }, Data: Buffer.from(content).toString("base64") },
});

const record = (number: number, kind: EventKind, more: Partial<Event> = {}): HistoryRecord => ({
  ...EVENT,
  kind,
  ...more,
  number,
  isState: ["deploy", "rotate", "rollback"].includes(kind),
  archive: Buffer.from("x"),
});

test("a record comes back from the Swarm as it was left", () => {
  const config = inspected(recordConfig("forge", 7, EVENT, Buffer.from("files")));
  expect(config.Spec.Name).toBe("forge_history_7");
  const read = parseRecord("forge", config);
  expect(read).toEqual({ ...EVENT, number: 7, isState: true, archive: Buffer.from("files") });
  expect(parseRecord("other", config)).toBeUndefined();
  const bare = recordConfig("forge", 8, { kind: "gc", at: EVENT.at, by: "ann@forge", note: "" });
  expect(bare.content).not.toHaveLength(0);
  expect(parseRecord("forge", inspected(bare))).toMatchObject({
    kind: "gc",
    isState: false,
    archive: Buffer.alloc(0),
  });
});

test("records are read back in their order, and the oldest goes with a new one", async () => {
  const engine = new FakeEngine();
  const docker = engine.docker();
  for (let number = 1; number <= 12; number++)
    await writeRecord(docker, "forge", { ...EVENT, kind: number > 2 ? "deploy" : "gc" }, undefined);
  await writeRecord(docker, "my-forge", EVENT, undefined);
  const numbers = (await readRecords(docker, "forge")).map(({ number }) => number);
  expect(numbers).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
});

test("the last twenty states are kept, and of other events the newest", () => {
  const records = [
    record(1, "gc"),
    record(2, "backup"),
    ...Array.from({ length: 20 }, (_, index) => record(index + 3, "deploy")),
  ];
  expect(outdated(records, "deploy")).toEqual([3]);
  expect(outdated(records, "rollback")).toEqual([3]);
  expect(outdated(records, "gc")).toEqual([1]);
  expect(outdated(records.slice(0, 10), "deploy")).toEqual([]);
});

test("what a maintenance did counts for when it was last done, also when the next one failed in it", () => {
  const maintained = (number: number, ...failed: string[]) =>
    record(number, "maintain", {
      at: new Date(number),
      done: ["gc", "backup"].filter((part) => !failed.includes(part)),
      failed,
    });
  const gcOnly = (number: number) => record(number, "gc", { at: new Date(number), done: ["gc"] });
  const done = [gcOnly(1), maintained(2), maintained(3, "backup")];
  expect(lastDone(done, "gc")).toEqual(new Date(3));
  expect(lastDone(done, "backup")).toEqual(new Date(2));
  expect(lastDone([maintained(2, "gc"), gcOnly(3)], "gc")).toEqual(new Date(3));
  expect(lastDone([maintained(2, "gc")], "gc")).toBeUndefined();
  expect(outdated(done, "maintain")).toEqual([]);
});

test("a rollback goes to the newest state that differs, or to the one that is named", () => {
  const records = [
    record(1, "deploy", { config: "a" }),
    record(2, "deploy", { config: "b" }),
    record(3, "gc"),
    record(4, "rotate", { config: "b", generations: { users: 9, machines: 1 } }),
  ];
  expect(chooseRecord("forge", records, undefined).number).toBe(1);
  expect(chooseRecord("forge", records, 2).number).toBe(2);
  expect(chooseRecord("forge", [...records, record(5, "rollback", { config: "a" })], undefined).number).toBe(
    4,
  );
  // deploy.sh notes the images in another order.
  const { registry, gateway } = EVENT.images as { registry: string; gateway: string };
  const twin = record(5, "rotate", { config: "a", images: { gateway, registry } });
  expect(chooseRecord("forge", [...records, twin], undefined).number).toBe(4);
  for (const [list, number] of [
    [records, 3],
    [records, 9],
    [records.slice(1, 2), undefined],
    [[], undefined],
  ] as const)
    expect(() => chooseRecord("forge", list, number)).toThrow(OperatorError);
});

test("files come back from an archive, and the same files are the same bytes", async () => {
  const files = fc.array(
    fc.record({ path: fc.stringMatching(/^[a-z]{1,9}(\/[a-z.]{1,9}[a-z])?$/), text: fc.string() }),
  );
  await fc.assert(
    fc.asyncProperty(files, async (list) => {
      const packed = await packFiles(list);
      expect(await unpackFiles(packed)).toEqual(list);
      expect(await packFiles(list)).toEqual(packed);
    }),
    { numRuns: 50 },
  );
  await expect(unpackFiles(await packFiles([{ path: "../outside", text: "" }]))).rejects.toThrow(/outside/);
});

test("images are pinned in a rendered compose file, and nothing else changes", () => {
  const compose = readFileSync(
    new URL("../golden/traefik3-sso-anonymous/docker-compose.yml", import.meta.url),
    "utf8",
  );
  const images = { registry: `registry:2.8.3@sha256:${"2".repeat(64)}`, "registry-ui": "ui:9" };
  const before = parse(compose) as { services: Record<string, { image: string }> };
  const after = parse(withImages(compose, images)) as typeof before;
  for (const [name, image] of Object.entries(images)) {
    expect(after.services[name]?.image).toBe(image);
    (before.services[name] as { image: string }).image = image;
  }
  expect(after).toEqual(before);
  expect(withImages(compose, { absent: "x:1" })).toBe(compose);
});

test("what the collection's job prints is read, and its silence is an error", () => {
  expect(parseGcOutput(["goes a/b@sha256:1", "goes c@sha256:2", "freed 12 3456789012"])).toEqual({
    blobs: 12,
    bytes: 3456789012,
    untagged: ["a/b@sha256:1", "c@sha256:2"],
  });
  expect(() => parseGcOutput(["there is no time left for the gc"])).toThrow(/no time left/);
});

test("a registry's read-only lease is read from its service", () => {
  const named = (Name: string, Env?: string[]) => {
    const spec = service().Spec;
    const { ContainerSpec } = spec.TaskTemplate;
    return {
      ...service(),
      Spec: {
        ...spec,
        Name,
        TaskTemplate: { ...spec.TaskTemplate, ContainerSpec: { ...ContainerSpec, ...(Env ? { Env } : {}) } },
      },
    };
  };
  const until = ["A=1", "HEPHAESTUS_READONLY_UNTIL=1790000000"];
  expect(readOnlyUntil([named("forge_reader", until), named("forge_registry", until)], "forge")).toBe(
    1790000000,
  );
  expect(readOnlyUntil([named("forge_reader", until), named("forge_registry")], "forge")).toBeUndefined();
});
