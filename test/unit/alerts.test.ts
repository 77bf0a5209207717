import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { afterEach, beforeEach, expect, test } from "vitest";
import { alertChannels, textOf } from "../../src/alerts/alertChannels.js";
import { alertState, keyOf, notify } from "../../src/alerts/notify.js";
import { judgeLog, judgeMaintenance, judgeMirror } from "../../src/doctor/maintenanceChecks.js";
import type { Finding } from "../../src/finding.js";

let folder: string;
let server: Server;
let url: string;
/** Bodies that came, and the status of each answer. */
let received: { text: string; found: Finding[]; resolved: string[] }[];
let status: number;
const path = process.env.PATH;

beforeEach(async () => {
  folder = mkdtempSync(`${tmpdir()}/alerts-`);
  received = [];
  status = 204;
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      received.push(JSON.parse(String(Buffer.concat(chunks))));
      response.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook/s3cret-token`;
});

afterEach(async () => {
  process.env.PATH = path;
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

const finding = (code: string, message: string): Finding => ({
  code,
  theme: "Storage",
  severity: "warning",
  message,
  evidence: "seen",
  remedy: "Do something.",
});
const disk = (percent: number) => finding("storage-full", `the storage has ${percent} % left`);
const certificate = finding("certificate-ends-soon", "the certificate ends in 9 days");

const report = (findings: Finding[], isComplete = true) =>
  notify(
    "forge",
    findings,
    alertChannels({ url, mail: [] }, {}),
    alertState("forge", { XDG_STATE_HOME: folder }),
    isComplete,
  );

test("a finding is reported once, whatever its numbers are, and once more when it is resolved", async () => {
  await report([disk(9), certificate]);
  expect(await report([disk(8), certificate])).toBe("nothing new to report");
  await report([certificate]);
  await report([disk(7), certificate]);
  expect(received.map(({ found, resolved }) => [found.map(({ code }) => code), resolved])).toEqual([
    [["storage-full", "certificate-ends-soon"], []],
    [[], ["the storage has 9 % left"]],
    [["storage-full"], []],
  ]);
  expect(statSync(`${folder}/hephaestus/alerts-forge.json`).mode & 0o777).toBe(0o600);
});

test("what could not be checked is not resolved", async () => {
  await report([disk(9)]);
  await report([certificate], false);
  expect(received.at(-1)?.resolved).toEqual([]);
  await report([certificate]);
  expect(received.at(-1)?.resolved).toEqual(["the storage has 9 % left"]);
});

test("what was not delivered is reported again, and no message shows the address", async () => {
  status = 500;
  await expect(report([disk(9)])).rejects.toThrow(/^could not be delivered: answered 500$/);
  status = 204;
  await report([disk(9)]);
  expect(received.map(({ found }) => found.length)).toEqual([1, 1]);
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  const failure = await report([]).catch((error: Error) =>
    JSON.stringify({ ...error, message: error.message }),
  );
  expect(failure).toContain("does not answer (ECONNREFUSED)");
  expect(failure).not.toContain("s3cret");
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});

test("a state that was cut off counts as none", async () => {
  await report([disk(9)]);
  writeFileSync(`${folder}/hephaestus/alerts-forge.json`, '{"storage');
  await report([disk(9)]);
  expect(received).toHaveLength(2);
});

test("mail goes to sendmail on standard input, with no address in its arguments", async () => {
  writeFileSync(`${folder}/sendmail`, `#!/bin/sh\necho "$*" >${folder}/arguments\ncat >${folder}/mail\n`);
  chmodSync(`${folder}/sendmail`, 0o755);
  process.env.PATH = `${folder}:${path}`;
  const channels = alertChannels({ url: undefined, mail: ["ops@example.com", "b@example.com"] }, {});
  await notify("forge", [disk(9)], channels, alertState("forge", { XDG_STATE_HOME: folder }), true);
  expect(readFileSync(`${folder}/arguments`, "utf8")).toBe("-t -oi\n");
  const mail = readFileSync(`${folder}/mail`, "utf8");
  expect(mail).toMatch(/^To: ops@example\.com, b@example\.com\nSubject: hephaestus forge: 1 warning\n/);
  expect(mail).toContain(
    "\n\nhephaestus forge: 1 warning\n\nwarning: the storage has 9 % left\n    seen\n    Do something.\n",
  );
});

test("without a channel, or with an address that is none, nothing begins", () => {
  expect(() => alertChannels({ url: undefined, mail: [] }, {})).toThrow("there is nowhere to report to");
  expect(() => alertChannels({ url, mail: [] }, { HEPHAESTUS_ALERT_URL: "no" })).toThrow("is not an address");
  expect(alertChannels({ url, mail: ["a@b.c"] }, {}).map(({ name }) => name)).toEqual(["webhook", "mail"]);
});

test("the text names what is new and what is resolved", () => {
  expect(textOf({ stack: "forge", found: [certificate], resolved: ["a", "b"] })).toBe(
    "hephaestus forge: 1 warning, 2 resolved\n\nwarning: the certificate ends in 9 days\n    seen\n    Do something.\n\nresolved: a\nresolved: b",
  );
  expect(keyOf(disk(9))).toBe(keyOf(disk(10.5)));
});

const at = (day: string) => new Date(`2026-11-${day}T03:30:00Z`);

test("a part of the last maintenance that failed is found, and a backup that is too old", () => {
  const maintained = (day: string, done: string[], failed: string[] = []) => ({
    kind: "maintain" as const,
    at: at(day),
    note: "what was done",
    done,
    failed,
  });
  const ids = (records: Parameters<typeof judgeMaintenance>[0], hasBackup = true) =>
    judgeMaintenance(records, hasBackup, at("20")).map(({ code }) => code);
  expect(ids([maintained("19", ["backup"])])).toEqual([]);
  expect(ids([maintained("19", ["backup"], ["prune"])])).toEqual(["maintenance-failed"]);
  expect(ids([maintained("11", ["backup"])])).toEqual(["backup-old"]);
  expect(
    ids([
      { kind: "backup", at: at("13"), note: "", done: ["backup"], failed: [] },
      maintained("19", [], ["backup"]),
    ]),
  ).toEqual(["maintenance-failed"]);
  expect(ids([maintained("19", [], ["prune"])], false)).toEqual(["maintenance-failed"]);
  expect(ids([])).toEqual([]);
});

test("an image that the mirror could not copy is found", () => {
  const failed = {
    level: "ERROR",
    msg: "Failed to sync",
    source: "quay.io/a/b:1",
    target: "r/b:1",
    error: "not found [http 404]",
  };
  expect(
    judgeMirror([JSON.stringify(failed)]).map(({ message, evidence }) => `${message} | ${evidence}`),
  ).toEqual([
    "the mirror could not copy quay.io/a/b:1 | is not there (any more); the copies here stay (not found [http 404])",
  ]);
  expect(judgeMirror(["text"])).toEqual([]);
  const log = { lines: [{ time: "", text: JSON.stringify(failed) }], missing: ["task a on node b: gone"] };
  expect(
    judgeLog("mirror", log, judgeMirror).map(({ code, evidence }) => `${code} ${evidence.slice(0, 8)}`),
  ).toEqual(["mirror-failed is not t", "log-incomplete task a o"]);
});
