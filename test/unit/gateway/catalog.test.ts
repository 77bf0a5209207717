/** The catalog names what one may pull, in pages, and its filter takes no time. */
import { describe, expect, test } from "vitest";
import { repositoryRules, rightsBy } from "../../../src/access/repositoryRules.js";
import { catalog } from "../../../src/services/gateway/program/catalog.js";
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

  describe("of 10,000 repositories with 200 rules", () => {
    const access = Array.from({ length: 200 }, (_, index) => ({
      repositories: [`team-${index}/**`],
      immutable: [],
      pull: index % 2 === 0 ? ("anonymous" as const) : ["ann"],
    }));
    const names = access
      .flatMap((_, team) => Array.from({ length: 50 }, (_, app) => `team-${team}/app-${app}`))
      .sort();
    let compared = 0;
    /** A glob that counts how often its segments are looked at. */
    const counted = (glob: string) => {
      const get = (segments: string[], key: string | symbol) => {
        compared++;
        return Reflect.get(segments, key);
      };
      return { split: (by: string) => new Proxy(glob.split(by), { get }) } as unknown as string;
    };
    const rules = repositoryRules({ access, groups: {}, registry: { pull: "anonymous" } }).map((rule) => ({
      ...rule,
      repositories: rule.repositories.map(counted),
    }));

    test.each([
      ["", "the page of a client that names no number", 1, 201],
      ["n=1000", "the largest page and the one that joxit asks for", 3, 2001],
      ["n=1000&last=team-99/app-9", "the page after the last one", 1, 0],
    ])("%s, %s, takes %i questions, and a look at no more than %i names", async (query, _, most, looks) => {
      const rightsOf = rightsBy(rules);
      compared = 0;
      const [asked, looked]: [string[], string[]] = [[], []];
      const mayPull = (name: string) => {
        looked.push(name);
        return rightsOf({}, name).pull;
      };
      const answer = await catalog(query, mayPull, async (args) => {
        asked.push(args);
        return { status: 200, headersOut: {}, ...having(names)("/catalog", { method: "GET", args }, {}) };
      });
      expect(answer.status).toBe(200);
      expect(asked).toHaveLength(most);
      expect(looked.length).toBeLessThanOrEqual(looks);
      // No name twice, and each against the one rule that begins as it does.
      expect(new Set(looked).size).toBe(looked.length);
      expect(compared).toBeLessThanOrEqual(10 * looked.length);
    });
  });
});
