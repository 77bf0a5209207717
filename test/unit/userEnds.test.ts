import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { loadConfig } from "../../src/config/load.js";
import { isDay } from "../../src/credentials/dates.js";
import {
  formatHtpasswd,
  type HtpasswdEntry,
  htpasswdEntry,
  parseHtpasswd,
} from "../../src/credentials/htpasswd.js";
import { Secret } from "../../src/credentials/secret.js";
import {
  addUser,
  applied,
  changePassword,
  describeChange,
  mergeUsers,
  removeUser,
  updateUser,
} from "../../src/credentials/userChanges.js";
import { judgeEnds } from "../../src/doctor/userChecks.js";
import { loadTemplates } from "../../src/render/templates.js";
import { renderFiles } from "../../src/stack.js";
import { type SecretFacts, secretLabels } from "../../src/swarm/secrets.js";
import fc from "../support/properties.js";

const COST = 4;
const login = (user: string) =>
  ({ user, password: new Secret("anvil"), origin: "given", cost: COST }) as const;
const ann = htpasswdEntry("ann", new Secret("anvil"), COST);
const ci = {
  ...htpasswdEntry("ci", new Secret("anvil"), COST),
  until: "2027-03-01",
  note: "builds of team a",
};

describe("a user's end and note", () => {
  test("go through the text of an htpasswd", () => {
    const text = formatHtpasswd([ann, ci]);
    expect(text.reveal()).toBe(
      `# until ci 20270301\n# note ci builds of team a\nann:${ann.hash}\nci:${ci.hash}\n`,
    );
    expect(parseHtpasswd(text, "X")).toEqual([ann, ci]);
  });

  test("may stand in any order", () => {
    const text = new Secret(`# note ci builds\n# until ci 20270301\nci:${ci.hash}\n`);
    expect(parseHtpasswd(text, "X")).toEqual([{ ...ci, note: "builds" }]);
  });

  test.each([
    "#until ci 20270301",
    "# until ci 2027",
    "# until c i 20270301",
    "# until ci",
    "# anything else",
  ])("are no other comment: %s", (comment) => {
    expect(parseHtpasswd(new Secret(`${comment}\nci:${ann.hash}\n`), "X")).toEqual([
      { user: "ci", hash: ann.hash },
    ]);
  });

  test("come with a new user, stay with a new password, and go with the user", () => {
    const added = addUser(login("bob"), { until: "2027-03-01", note: "" })([ann]).users;
    expect(added[1]).toMatchObject({ user: "bob", until: "2027-03-01" });
    expect(added[1]).not.toHaveProperty("note");
    expect(changePassword(login("ci"))([ann, ci]).users[1]).toMatchObject({
      until: ci.until,
      note: ci.note,
    });
    expect(addUser(login("ci"))(removeUser("ci")([ann, ci]).users).users[1]).not.toHaveProperty("until");
  });

  test("are changed one by one, and taken away", () => {
    expect(applied(updateUser("ci", { until: "2028-01-01" }), [ann, ci])).toEqual({
      users: [ann, { ...ci, until: "2028-01-01" }],
      changed: [],
      removed: [],
      updated: ["ci"],
    });
    const { users } = updateUser("ci", { until: "never", note: "" })([ann, ci]);
    expect(users[1]).toEqual({ user: "ci", hash: ci.hash });
    expect(() => updateUser("zoe", { note: "x" })([ann])).toThrow("there is no user zoe");
  });

  test("come with the htpasswd of a deploy, and stay where it does not have them", () => {
    const bringing = (...users: readonly HtpasswdEntry[]) => mergeUsers({ ...login("ann"), users });
    const bare = { user: "ci", hash: ci.hash };
    const nothing = { users: [ann, ci], changed: [], removed: [], updated: [] };
    expect(applied(bringing(ann, bare), [ann, ci])).toMatchObject(nothing);
    const later = { ...ci, until: "2028-01-01" };
    expect(applied(bringing(ann, later), [ann, ci])).toMatchObject({
      users: [ann, later],
      updated: ["ci"],
    });
    // With a new password, too.
    const changed = htpasswdEntry("ci", new Secret("hammer"), COST);
    expect(bringing(ann, changed)([ann, ci]).users[1]).toEqual({ ...ci, hash: changed.hash });
    expect(applied(bringing(ann, ci), [ann, bare])).toMatchObject({ ...nothing, updated: ["ci"] });
  });

  test("stand in the labels and in the history", () => {
    const secret = {
      kind: "htpasswd",
      generation: 2,
      ends: new Map([["ci", "2027-03-01"]]),
    } as const;
    expect(secretLabels("s", secret)["hephaestus.until.ci"]).toBe("2027-03-01");
    const change = { users: [ann, ci], changed: [], removed: [], updated: [] };
    expect(describeChange(change)).toBe("");
    expect(describeChange({ ...change, changed: ["ci"] })).toBe(
      "new password of ci until 2027-03-01 (builds of team a)",
    );
    expect(describeChange({ ...change, removed: ["bob"], updated: ["ci"] })).toBe(
      "changed ci until 2027-03-01 (builds of team a); without bob",
    );
  });

  test.each([
    ["2026-12-20", []],
    ["2026-12-08", ["user-ends-soon: ci ends on 2026-12-08, in 13 days"]],
    ["2026-11-25", ["user-ended: ci ended on 2026-11-25 and is refused"]],
    ["2026-11-20", ["user-ended: ci ended on 2026-11-20 and is refused"]],
  ])("are reported by doctor: %s", (day, wanted) => {
    const facts = { name: "s_htpasswd_1", ends: new Map([["ci", day]]) } as SecretFacts;
    const found = judgeEnds(facts, new Date("2026-11-25T10:00:00Z"));
    expect(found.map(({ code, message }) => `${code}: ${message}`)).toEqual(wanted);
  });
});

test("a day is one of the calendar", () => {
  for (const day of ["2027-03-01", "2028-02-29", "0001-01-01"]) expect(isDay(day), day).toBe(true);
  for (const day of ["2027-02-29", "2027-13-01", "2027-3-1", "20270301", "2027-03-01T00:00", "x", ""])
    expect(isDay(day), day).toBe(false);
});

describe("the start script of the registry", () => {
  const folder = mkdtempSync(`${tmpdir()}/start-`);
  afterAll(() => rmSync(folder, { recursive: true }));
  const files = renderFiles(loadConfig("domain: a.example", "f", {}).config, loadTemplates(), "f");
  const compose = parse(files[0]?.text ?? "") as { services: { registry: { entrypoint: string[] } } };
  const script = (compose.services.registry.entrypoint[2] ?? "").replaceAll("$$", "$");
  const config = files.find(({ path }) => path === "registry/config.yml")?.text ?? "";

  /** The config that the registry gets, with an htpasswd. */
  function started(htpasswd: string): { http: { headers: Record<string, string[]>; secret: string } } {
    writeFileSync(`${folder}/htpasswd`, htpasswd);
    writeFileSync(`${folder}/http-secret`, "  secret: abc\n");
    writeFileSync(`${folder}/given.yml`, config);
    writeFileSync(`${folder}/registry`, "#!/bin/sh\n", { mode: 0o755 });
    const here = script
      .replaceAll("/run/secrets/", `${folder}/`)
      .replaceAll("/etc/docker/registry/config.yml", `${folder}/given.yml`)
      .replaceAll("/tmp/config.yml", `${folder}/config.yml`);
    execFileSync("/bin/sh", ["-ec", here], { env: { PATH: `${folder}:${process.env.PATH}` } });
    return parse(readFileSync(`${folder}/config.yml`, "utf8"));
  }

  test("gives the gateway the users that end", () => {
    const { http } = started(formatHtpasswd([ci, { ...ann, until: "2027-05-01" }]).reveal());
    expect(http.headers["X-Account-Ends"]).toEqual([",ci 20270301,ann 20270501,"]);
    expect(http.headers["X-Content-Type-Options"]).toEqual(["nosniff"]);
    expect(http.secret).toBe("abc");
  });

  test("gives nothing where no user ends", () => {
    const { http } = started(formatHtpasswd([ann]).reveal());
    expect(Object.keys(http.headers)).toEqual(["X-Content-Type-Options"]);
    expect(http.secret).toBe("abc");
  });

  test("takes no other line into the config", () => {
    const line = fc.oneof(
      fc.string({ unit: "binary", maxLength: 40 }),
      fc.stringMatching(/^# until [a-z"\]:, $`]{0,12} [0-9]{6,9}["\]\r ]{0,3}$/),
    );
    fc.assert(
      fc.property(
        line.filter((text) => !text.includes("\0")),
        (text) => {
          const { http } = started(`${text}\nann:${ann.hash}\n`);
          const [value] = http.headers["X-Account-Ends"] ?? [""];
          expect(value).toMatch(/^$|^(?:,[A-Za-z0-9][A-Za-z0-9._@-]* [0-9]{8})+,$/);
          expect(http.secret).toBe("abc");
        },
      ),
      { numRuns: 40 },
    );
  });
});
