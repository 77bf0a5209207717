import type { Subject } from "./mutation.js";

/** What of backups is whole, and what goes; days; records of the history. */
export const BACKUPS: readonly Subject[] = [
  {
    file: "src/backup/pruneBackups.ts",
    tests: ["backup.test.ts"],
    mutations: [
      { what: "names.slice(0, keep)", by: "names.slice(0, keep - 1)", rule: "so many backups stay" },
      { what: " || name === complete)", by: ")", rule: "the newest complete backup stays" },
      {
        what: "facts?.damage.length === 0",
        by: "facts?.damage.length !== 0",
        rule: "a complete backup left out nothing",
      },
      { what: "if (!dryRun) for (const name", by: "for (const name", rule: "a dry run removes no backup" },
      {
        what: "if (!dryRun) await directory.blobs.remove",
        by: "await directory.blobs.remove",
        rule: "a dry run removes no blob",
      },
      {
        what: "[...blobs.map((blob) => blob.digest), ...manifests])",
        by: "[...blobs.map((blob) => blob.digest)])",
        rule: "manifests within an index are needed",
      },
      {
        what: "for (const { digest } of named) needed.add(digest);",
        by: "",
        rule: "the manifests of a backup are needed",
      },
    ],
  },
  {
    file: "src/backup/backupContent.ts",
    tests: ["wholeImages.test.ts"],
    mutations: [
      {
        what: ".filter((blob) => !blobs.has(blob)) : [digest]",
        by: ".filter((blob) => !blobs.has(blob)) : []",
        rule: "a manifest that is missing is damage",
      },
      {
        what: " || own?.manifests.some((child) => torn.has(child))) torn",
        by: ") torn",
        rule: "an index lacks what its manifests lack",
      },
      {
        what: "named.filter(({ digest }) => !torn.has(digest));",
        by: "named.filter(({ digest }) => !gaps.has(digest));",
        rule: "an index that lacks something below is left out",
      },
      {
        what: "if (isListed) yield digest;",
        by: "if (!isListed) yield digest;",
        rule: "a manifest comes after those that it lists",
      },
    ],
  },
  {
    file: "src/credentials/dates.ts",
    tests: ["ages.test.ts", "userEnds.test.ts"],
    mutations: [
      { what: "Math.floor((to.getTime()", by: "Math.ceil((to.getTime()", rule: "whole days are told" },
      { what: "date.toISOString().startsWith(text)", by: "true", rule: "the 31st of February is no day" },
      {
        what: "now.getTime() - Number(amount)",
        by: "now.getTime() + Number(amount)",
        rule: "a span goes back",
      },
      { what: "m: 60_000, h: 3_600_000", by: "m: 3_600_000, h: 60_000", rule: "m is minutes, h is hours" },
    ],
  },
  {
    file: "src/history/records.ts",
    tests: ["history.test.ts"],
    mutations: [
      { what: "alike.length + 1 - kept", by: "alike.length - kept", rule: "so many records stay" },
      {
        what: "isState ? record.isState : record.kind === added",
        by: "record.kind === added",
        rule: "records of states are counted together",
      },
      {
        what: 'isState || added === "maintain" ? KEPT : 1',
        by: "isState ? KEPT : 1",
        rule: "maintenances stay",
      },
      { what: "const KEPT = 20;", by: "const KEPT = 21;", rule: "20 records stay" },
      { what: "alike.slice(0, Math", by: "alike.slice(-1, Math", rule: "the oldest goes" },
    ],
  },
];
