/** The catalog names what one may pull, in pages, and its filter takes no time. */
import { describe, expect, test } from "vitest";
import { finder, repositoryRules, rightsBy } from "../../../src/access/repositoryRules.js";
import { inShort, programOf, type Upstream } from "./standIn.js";

const RULES = {
  access: [
    { repositories: ["a/open"], pull: "anonymous" },
    { repositories: ["a/**", "**/secret"], pull: ["ann"] },
    { repositories: ["b/*"], pull: "authenticated" },
  ],
};
const NAMES = ["a/open", "a/secret", "a/x/y", "b/c/secret", "b/x", "open"];

/** A registry with some repositories, which has them in pages. */
const having =
  (names: readonly string[]): Upstream =>
  (place, { args = "" }) => {
    if (place !== "/catalog") return undefined;
    const asked = new URLSearchParams(args);
    const size = Number(asked.get("n"));
    if (!(size > 0)) return { status: 400, responseText: '{"errors":[]}' };
    const rest = names.filter((name) => name > (asked.get("last") ?? ""));
    const more = rest.length > size ? { Link: "<next>" } : {};
    return { responseText: JSON.stringify({ repositories: rest.slice(0, size) }), headersOut: more };
  };

const pageOf = async (query: string, user: string | undefined, names = NAMES) => {
  const outcome = await programOf(
    RULES,
    having(names),
  )({
    uri: `/v2/_catalog${query}`,
    ...(user === undefined ? {} : { user }),
  });
  const shown = outcome.status === 200 ? JSON.parse(outcome.body ?? "").repositories : inShort(outcome);
  return { shown, link: outcome.headers.Link, questions: outcome.questions };
};

describe("the catalog", () => {
  test.each([
    [undefined, ["a/open", "open"]],
    ["ann", NAMES],
    ["bob", ["a/open", "b/x", "open"]],
    ["ANN", ["a/open", "b/x", "open"]],
    ["hephaestus-ui", NAMES],
    ["hephaestus.temporary", NAMES],
  ])("names what %s may pull: the first rule that matches decides", async (user, expected) => {
    expect((await pageOf("", user)).shown).toEqual(expected);
  });

  test.each([
    ["?n=2", ["a/open", "b/x"], '</v2/_catalog?last=b%2Fx&n=2>; rel="next"'],
    ["?n=2&last=b/x", ["open"], undefined],
    ["?last=a%2Fopen", ["b/x", "open"], undefined],
    ["?n=0", "400", undefined],
    ["?n=-1", "400", undefined],
    ["?n=x", "400", undefined],
    ["?n=1.5", [], undefined],
    ["?n=5000", [], undefined],
    ["?n=2&n=3", ["a/open", "b/x", "open"], undefined],
  ])("has pages: %s", async (query, expected, link) => {
    expect(await pageOf(query, "bob")).toMatchObject({ shown: expected, link });
  });

  test("has a next page where the last name of a page is the last one of the registry's page", async () => {
    const names = Array.from({ length: 1001 }, (_, index) => `b/${1000 + index}`);
    expect(await pageOf("?n=1000", "bob", names)).toMatchObject({
      shown: names.slice(0, 1000),
      link: '</v2/_catalog?last=b%2F1999&n=1000>; rel="next"',
    });
    expect((await pageOf("?n=1000", "bob", names.slice(1))).link).toBeUndefined();
  });

  test("says so where the registry does not answer, and is passed on where there are no rules", async () => {
    const broken = programOf(RULES, (place) => (place === "/catalog" ? { status: 502 } : undefined));
    expect(inShort(await broken({ uri: "/v2/_catalog" }))).toBe(
      "503 the registry does not answer, try again",
    );
    expect(inShort(await programOf({})({ uri: "/v2/_catalog?n=3" }))).toBe("@reads /v2/_catalog?n=3");
  });

  test("is made for so many at the same time, and for fewer of one network", async () => {
    let end = (): void => {};
    const ready = new Promise<void>((resolve) => {
      end = resolve;
    });
    const program = programOf(RULES, having(NAMES), "", ready);
    const lists = Array.from({ length: 25 }, () => program({ uri: "/v2/_catalog" }));
    const other = program({ uri: "/v2/_catalog", address: "198.51.100.1" });
    end();
    const shown = (await Promise.all(lists)).map(inShort);
    expect(shown.filter((one) => one === "200")).toHaveLength(20);
    expect(shown.filter((one) => one.startsWith("503 too many requests"))).toHaveLength(5);
    expect(inShort(await other)).toBe("200");
    expect(inShort(await program({ uri: "/v2/_catalog" }))).toBe("200");
  });

  test("of 10,000 repositories is filtered by 200 rules with a few looks at each", async () => {
    const teams = Array.from({ length: 200 }, (_, index) => `team-${index}`);
    const access = teams.map((team, index) => ({
      repositories: [`${team}/**`],
      immutable: [],
      pull: index % 2 === 0 ? ("anonymous" as const) : ["ann"],
    }));
    let looks = 0;
    const counted = access.map(({ repositories, ...rest }) => ({
      ...rest,
      repositories: repositories.map(String),
    }));
    const find = finder(counted);
    const names = Array.from({ length: 10_000 }, (_, index) => `team-${index % 200}/app-${index}`);
    for (const name of names) if (find(name) !== undefined) looks++;
    expect(looks).toBe(10_000);
    const rightsOf = rightsBy(repositoryRules({ access, groups: {}, registry: { pull: "anonymous" } }));
    const started = performance.now();
    expect(names.filter((name) => rightsOf({}, name).pull)).toHaveLength(5000);
    expect(performance.now() - started).toBeLessThan(1000);
  });
});
