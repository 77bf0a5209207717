import { describe, expect, test } from "vitest";
import { globPattern, matchesGlob } from "../../src/access/glob.js";
import {
  type Grant,
  hiddenFrom,
  includes,
  isImmutable,
  PERMISSIONS,
  repositoryRules,
  rightsBy,
  ruleOf,
  unknownNames,
  type WrittenRule,
} from "../../src/access/repositoryRules.js";
import type { ConfigError } from "../../src/config/configFindings.js";
import { loadConfig } from "../../src/config/load.js";
import type { SecretFacts } from "../../src/swarm/secrets.js";
import { judgeUserNames } from "../../src/users/userFindings.js";
import fc from "../support/properties.js";

const load = (text: string) => loadConfig(`domain: a.example\n${text}`, "f", {});
const findings = (text: string): string[] => {
  try {
    return load(text).warnings.map(({ line, path, message }) => `${line} ${path}: ${message}`);
  } catch (error) {
    return (error as ConfigError).findings.map(({ line, path, message }) => `${line} ${path}: ${message}`);
  }
};
const anonymous = { access: [], groups: {}, registry: { pull: "anonymous" } } as const;
const rule = (more: Partial<WrittenRule>): WrittenRule => ({
  repositories: ["a/**"],
  immutable: [],
  ...more,
});

describe("a rule", () => {
  test("is not there: anyone pulls, and every user pushes", () => {
    const [rest, ...others] = repositoryRules(anonymous);
    expect(others).toEqual([]);
    expect(rest).toMatchObject({
      number: 0,
      pull: "anonymous",
      push: "authenticated",
      delete: "authenticated",
    });
  });

  test.each<[Partial<WrittenRule>, Grant, Grant, Grant]>([
    [{}, "anonymous", "authenticated", "authenticated"],
    [{ pull: ["ann"] }, ["ann"], ["ann"], ["ann"]],
    [{ push: ["ann"] }, "anonymous", ["ann"], ["ann"]],
    [{ pull: "authenticated", push: ["ann"], delete: [] }, "authenticated", ["ann"], []],
    [{ pull: ["bob"], push: ["team"] }, ["bob", "ann", "ci"], ["ann", "ci"], ["ann", "ci"]],
    [{ pull: ["bob"], push: "authenticated" }, "authenticated", "authenticated", "authenticated"],
    [{ pull: [] }, [], [], []],
    [{ pull: ["ann"], push: [] }, ["ann"], [], []],
    [{ pull: ["bob"], push: ["ann"], delete: ["carl"] }, ["bob", "ann", "carl"], ["ann"], ["carl"]],
  ])("%j gives", (written, pull, push, remove) => {
    const [first] = repositoryRules({
      ...anonymous,
      access: [rule(written)],
      groups: { team: ["ann", "ci"] },
    });
    expect(first).toMatchObject({ pull, push, delete: remove });
  });

  test.each<[string, string[]]>([
    ["team", ["ann", "ci"]],
    ["group:team", ["ann", "ci"]],
    ["user:team", ["team"]],
    ["ann", ["ann"]],
    ["user:ann", ["ann"]],
    ["group:ann", ["group:ann"]],
    // What every object has.
    ["constructor", ["constructor"]],
    ["group:toString", ["group:toString"]],
  ])("that names %s means %j", (name, meant) => {
    const [first] = repositoryRules({
      ...anonymous,
      access: [rule({ pull: [name] })],
      groups: { team: ["ann", "ci"] },
    });
    expect(first?.pull).toEqual(meant);
  });

  test("keeps users and groups of one name apart", () => {
    expect(includes(["ops"], { user: "ops" })).toBe(true);
    expect(includes(["ops"], { user: "ann", groups: ["ops"] })).toBe(false);
    expect(includes(["group:ops"], { user: "ann", groups: ["ops"] })).toBe(true);
    expect(includes(["group:ops"], { user: "ops", groups: [] })).toBe(false);
  });

  test("keeps its immutable tags", () => {
    const [first] = repositoryRules({ ...anonymous, access: [rule({ immutable: ["v*", "stable"] })] });
    const isKept = (tag: string) => first !== undefined && isImmutable(first, tag);
    expect(["v1", "stable", "latest", "xv1", "stable2"].map(isKept)).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });

  test("names users that are not there", () => {
    const access = [
      rule({ pull: ["ann", "team", "zoe", "group:ops"] }),
      rule({ pull: "anonymous", push: "authenticated" }),
    ];
    const groups = { team: ["ci"], spare: ["dora"] };
    expect(unknownNames({ ...anonymous, access, groups }, ["ann"])).toEqual(["ci", "zoe", "dora"]);
  });
});

describe("findings about rules", () => {
  test.each([
    [
      "access:\n  - { repositories: ['a/**'] }\n  - { repositories: [a/b] }",
      /^4 access\.1\.repositories\.0: rule 2 never/,
    ],
    [
      "access:\n  - { repositories: ['a/**', 'b/**'] }\n  - { repositories: [b/c] }",
      /^4 access\.1\.repositories\.0: rule 2 never decides about b\/c/,
    ],
    ["retention: [{ repositories: [a], keep: { last: 1 } }]", /^2 retention: no tag is ever deleted/],
    [
      "access:\n  - { repositories: ['team-a/*'] }\n  - { repositories: ['team-*/secret'], pull: [ann] }",
      /^4 access\.1\.repositories\.0: rule 1 \(team-a\/\*\) decides where both match/,
    ],
    [
      "access:\n  - { repositories: ['x-*'], pull: authenticated, push: [ann] }\n  - { repositories: ['*-y'], pull: authenticated, push: [bob] }",
      /^4 access\.1\.repositories\.0: rule 1 \(x-\*\) decides where both match, and lets ann push/,
    ],
    ["access:\n  - { repositories: ['a/**', a/b] }", /^3 access\.0\.repositories\.1: a\/b adds nothing/],
    ["access:\n  - { repositories: [a], pull: [ann], push: [bob] }", /^3 access\.0\.push: bob may push but/],
    [
      "access:\n  - { repositories: [a], pull: [anonymous] }",
      /^3 access\.0\.pull\.0: anonymous is not a user/,
    ],
    ["groups: { authenticated: [ann] }", /^2 groups\.authenticated: .*cannot be a group/],
    ["access:\n  - { repositories: [a], delete: [ann] }", /^3 access\.0\.delete: nobody may delete/],
    ["access:\n  - { repositories: ['a**'] }", /^3 access\.0\.repositories\.0: "a\*\*" is not a glob/],
    ["expose: ports\nusers: { provider: both }", /authelia\.url: with expose: ports/],
    [
      "users: { provider: both }\naccess:\n  - { repositories: [a], pull: [devs, 'group:devs', 'user:devs'] }",
      /^4 access\.0\.pull\.0: devs means the user, and no group/,
    ],
    [
      "access:\n  - { repositories: [a], pull: ['group:devs'] }",
      /^3 access\.0\.pull\.0: there is no group devs/,
    ],
    ["groups: { ops: [ann], dev: [bob, ops] }", /^2 groups\.dev\.1: ops means the user here/],
    ...["hephaestus-ui", "HEPHAESTUS.TEMPORARY", "Hephaestus.x", "user:hephaestus-x"].map(
      (name): [string, RegExp] => [
        `access:\n  - { repositories: [a], pull: ['${name}'] }`,
        /^3 access\.0\.pull\.0: .* is not a name of a user/,
      ],
    ),
    ["groups: { HEPHAESTUS.a: [ann] }", /^2 groups\.HEPHAESTUS\.a: .* is not a name of a group/],
    ["groups: { a: [Hephaestus-a] }", /^2 groups\.a\.0: .* is not a user name/],
    ["credentials: { username: HEPHAESTUS.TEMPORARY }", /^2 credentials\.username: .* is not a user name/],
    ["users: { provider: both }\naccess:\n  - { repositories: [a], pull: ['group:a,b'] }", /is not a name/],
    [
      "registry: { pull: authenticated }\naccess:\n  - { repositories: [a], pull: [ann] }",
      /ui: the library shows nothing/,
    ],
  ])("%s", (text, wanted) => {
    const found = findings(text);
    expect(found, found.join("\n")).toHaveLength(1);
    expect(found[0]).toMatch(wanted);
  });

  test.each([
    "access:\n  - { repositories: ['team-a/secret/**'], pull: [ann] }\n  - { repositories: ['team-a/**'] }\n  - { repositories: ['**'] }",
    "access:\n  - { repositories: ['a/*', '*/b'] }",
    "access:\n  - { repositories: ['a/*'] }\n  - { repositories: ['*/b'] }",
    // The earlier rule grants less, is an exception to the later one, or has nothing in common with it.
    "access:\n  - { repositories: ['team-*/secret'], pull: [ann] }\n  - { repositories: ['team-a/*'] }",
    "access:\n  - { repositories: ['a/open'] }\n  - { repositories: ['a/*'], pull: [ann] }",
    "access:\n  - { repositories: ['a-*'] }\n  - { repositories: ['b-*'], pull: [ann] }",
    "groups: { devs: [ann] }\naccess:\n  - { repositories: [a], pull: ['group:devs'] }\n  - { repositories: [b] }",
  ])("are none where the rules are in order: %s", (text) => {
    expect(findings(text)).toEqual([]);
  });
});

describe("rights", () => {
  const segment = fc.constantFrom("a", "b", "a*", "*", "**");
  const glob = fc
    .array(segment, { minLength: 1, maxLength: 3 })
    .map((parts) => parts.join("/"))
    .filter((text) => !text.includes("**/**"));
  const grant = fc.oneof(fc.constant("authenticated" as const), fc.subarray(["ann", "bob", "team"]));
  const written = fc.record({
    repositories: fc.array(glob, { minLength: 1, maxLength: 2 }),
    pull: fc.option(fc.oneof(grant, fc.constant("anonymous" as const)), { nil: undefined }),
    push: fc.option(grant, { nil: undefined }),
    delete: fc.option(grant, { nil: undefined }),
    immutable: fc.constant([]),
  });
  const repository = fc
    .array(fc.stringMatching(/^[abc]{1,2}$/), { minLength: 1, maxLength: 3 })
    .map((parts) => parts.join("/"));

  test("say what the rules say, however many there are", () => {
    const base = load("registry: { delete: true }").config;
    fc.assert(
      fc.property(fc.array(written, { maxLength: 4 }), repository, (access, name) => {
        const rules = repositoryRules({ ...base, access, groups: { team: ["ci"] } });
        const decided = rules.find(({ repositories }) =>
          repositories.some((one) => new RegExp(globPattern(one)).test(name)),
        );
        const rightsOf = rightsBy(rules);
        for (const user of [undefined, "ann", "bob", "ci", "an"]) {
          const { rule, ...rights } = rightsOf({ user }, name);
          expect(rule).toBe(decided);
          for (const permission of PERMISSIONS)
            expect(rights[permission], `${user} ${permission} ${name}`).toBe(
              includes(rule[permission], { user }),
            );
        }
      }),
      { numRuns: 500 },
    );
  });
});

/** What the Swarm tells of an htpasswd with these users. */
const htpasswd = (users: string[]) =>
  ({
    name: "forge_htpasswd_2",
    changed: new Map(users.map((user) => [user, new Date(0)])),
  }) as unknown as SecretFacts;

test("a deploy and doctor warn of names that no user has, with the nearest user", () => {
  const { config } = load(
    "groups: { team: [anne] }\naccess:\n  - { repositories: ['a/**'], pull: [team, bob] }",
  );
  expect(judgeUserNames(config, htpasswd(["ann", "bob"]))).toEqual([
    {
      ...{ code: "rule-names-nobody", theme: "Passwords and access", severity: "warning" },
      message: "access names anne, but there is no such user",
      evidence: "labels of forge_htpasswd_2; the nearest name of a user is ann",
      remedy: "Correct the name, or add the user with: hephaestus user add anne",
    },
  ]);
  expect(judgeUserNames(config, htpasswd([]))).toEqual([]);
  expect(judgeUserNames(config, htpasswd(["anne", "bob", "hephaestus.temporary"]))).toEqual([]);
  expect(
    judgeUserNames(config, htpasswd(["anne", "bob", "team", "HEPHAESTUS.ui"])).map(({ code }) => code),
  ).toEqual(["user-name-of-group", "user-name-reserved"]);
  expect(
    judgeUserNames(load("users: { provider: both }\ngroups: { team: [anne] }").config, htpasswd(["bob"])),
  ).toEqual([]);
});

describe("what a user may not see", () => {
  const config = {
    ...anonymous,
    access: [
      rule({ repositories: ["a/open/**"] }),
      rule({ pull: ["ann"] }),
      rule({ repositories: ["b/*"], pull: ["bob"] }),
    ],
  };

  test("is named by its rule, unless the user sees something by that rule or nothing of it is wanted", () => {
    const ofA = "a/** (rule 2 of access): carl may not pull there";
    const ofB = "b/* (rule 3 of access): carl may not pull there";
    expect(hiddenFrom(config, "carl", ["c"])).toEqual([ofA, ofB]);
    expect(hiddenFrom(config, "carl", ["a/app"])).toEqual([ofB]);
    expect(hiddenFrom(config, "carl", ["a/open/app"], ["a/**"])).toEqual([ofA]);
    expect(hiddenFrom(config, "carl", [], ["a/open/app"])).toEqual([]);
    expect(hiddenFrom(config, "ann", [], ["a/**", "c"])).toEqual([]);
    const closed = { ...config, registry: { pull: "authenticated" } } as const;
    expect(hiddenFrom(closed, undefined, [])).toEqual([
      "a/open/** (rule 1 of access): who has no login may not pull there",
      "a/** (rule 2 of access): who has no login may not pull there",
      "b/* (rule 3 of access): who has no login may not pull there",
      "repositories that no rule of access names: who has no login may not pull them",
    ]);
  });

  test("is nothing only where the user sees every repository", () => {
    const names = ["a", "a/b", "a/b/c", "b", "b/c", "c"];
    const glob = fc.constantFrom("**", "a/**", "a/*", "b", "b/*", "*", "c");
    const grant = fc.constantFrom<Grant>("anonymous", "authenticated", ["ann"], ["bob"], []);
    const access = fc.array(
      fc.record({ repositories: fc.array(glob, { minLength: 1 }), pull: grant, push: fc.constant([]) }),
    );
    const registry = fc.record({ pull: fc.constantFrom("anonymous" as const, "authenticated" as const) });
    fc.assert(
      fc.property(
        access,
        registry,
        fc.option(fc.constant("ann"), { nil: undefined }),
        glob,
        (written, pull, user, wanted) => {
          const whole = { access: written.map((one) => rule(one)), groups: {}, registry: pull };
          const rules = repositoryRules(whole);
          const seen = names.filter((name) => includes(ruleOf(rules, name).pull, { user }));
          const wantedNames = names.filter((name) => matchesGlob(wanted, name));
          if (hiddenFrom(whole, user, seen, [wanted]).length === 0)
            expect(seen).toEqual(expect.arrayContaining(wantedNames));
        },
      ),
    );
  });
});
