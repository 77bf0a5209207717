import { expect, test } from "vitest";
import { timeFrom } from "../../src/credentials/dates.js";
import { faultsOf } from "../../src/doctor/stackStatus.js";
import { parseDf } from "../../src/storage/disk.js";
import type { SecretFacts } from "../../src/swarm/secrets.js";
import { judgeAges } from "../../src/users/userFindings.js";

const now = new Date("2026-11-24T12:00:00Z");
const facts = (changed: Record<string, string>): SecretFacts => ({
  name: "s_htpasswd_3",
  kind: "htpasswd",
  generation: 3,
  created: new Date("2026-01-01T00:00:00Z"),
  generated: new Map(),
  changed: new Map(Object.entries(changed).map(([user, date]) => [user, new Date(date)])),
  ends: new Map(),
});

test.each([
  ["not asked for", undefined, { ann: "2020-01-01" }, []],
  ["young", "90d", { ann: "2026-11-01" }, []],
  ["on the day", "1d", { ann: "2026-11-23T12:00:00Z" }, []],
  ["old", "90d", { ann: "2026-01-24T12:00:00Z", bob: "2026-11-23" }, [/password of ann is 304 days old/]],
  ["not noted", "90d", {}, [/password of generation 3 is 327 days old/]],
] as const)("a password's age is warned of: %s", (_name, maxAge, changed, wanted) => {
  const findings = judgeAges(maxAge, facts(changed), now);
  expect(findings).toHaveLength(wanted.length);
  for (const [index, pattern] of wanted.entries()) {
    expect(findings[index]?.message).toMatch(pattern);
    expect(findings[index]?.severity).toBe("warning");
  }
});

test("df's lines are read, long names on a line of their own included", () => {
  const head = "Filesystem 1024-blocks Used Available Capacity Mounted on\n";
  const disk = { size: 1024_000, used: 512_000, free: 409_600 };
  expect(parseDf(`${head}/dev/sda1 1000 500 400 56% /var/lib/registry\n`)).toEqual(disk);
  expect(parseDf(`${head}/dev/mapper/a-very-long-name\n 1000 500 400 56% /var/lib/registry\n`)).toEqual(disk);
  expect(parseDf("df: no such file")).toBeUndefined();
});

test("what is wrong with a stack is named", () => {
  const sound = {
    services: [{ name: "registry", image: "r", running: 1, replicas: 1, healthy: true, reason: "" }],
    generation: 1,
    machines: 1,
    passwords: [],
    ends: [],
    registry: "https://r.example",
    library: undefined,
    frontDoor: [{ title: "the UI answers", fault: undefined }],
    certificate: new Date("2026-12-24"),
    disk: { size: 100, used: 90, free: 10 },
    lastBackup: undefined,
    lastGc: undefined,
    damagedTags: [],
    readOnly: { until: new Date("2026-11-24T12:00:00Z"), holder: "ann@forge" as string | undefined },
  };
  expect(faultsOf(sound, now)).toEqual([]);
  const ill = {
    ...sound,
    services: [{ name: "registry", image: "r", running: 0, replicas: 1, healthy: false, reason: "starting" }],
    frontDoor: [{ title: "the UI answers", fault: "no answer" }],
    certificate: new Date("2026-11-23"),
    disk: { size: 100, used: 99, free: 1 },
    damagedTags: ["team/app:1", "team/app:2"],
    readOnly: { ...sound.readOnly, holder: undefined },
  };
  expect(faultsOf(ill, now)).toEqual([
    "registry: 0/1 tasks run: starting",
    "the UI answers: no answer",
    "the certificate ended on 2026-11-23",
    "the storage is nearly full",
    "the tag team/app:1 and 1 more name no manifest (see: hephaestus doctor)",
    "pushes are refused until 2026-11-24T12:00:00.000Z: a gc was interrupted (fix it with hephaestus gc or deploy)",
  ]);
});

test.each([
  ["30m", "2026-11-24T11:30:00.000Z"],
  ["12h", "2026-11-24T00:00:00.000Z"],
  ["7d", "2026-11-17T12:00:00.000Z"],
  ["2026-11-20", "2026-11-20T00:00:00.000Z"],
  ["2026-11-20T10:00:00+01:00", "2026-11-20T09:00:00.000Z"],
  ["yesterday", undefined],
  ["7", undefined],
  ["2026-13-01", undefined],
  ["", undefined],
])("%s is a time in the past: %s", (text, expected) => {
  expect(timeFrom(text, now)?.toISOString()).toBe(expected);
});
