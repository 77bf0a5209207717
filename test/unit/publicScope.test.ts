import { describe, expect, test } from "vitest";
import { scriptOf } from "./gatewayScript.js";

const script = await scriptOf([
  { repositories: ["open/**"], pull: "anonymous" },
  { repositories: ["**"], pull: "authenticated" },
]);

describe("a token without a login", () => {
  const given = (args: string | undefined) =>
    script.publicScope?.({ variables: args === undefined ? {} : { args } });

  test.each([
    "scope=repository:open/app:pull",
    "service=a.example&scope=repository%3Aopen%2Fapp%3Apull",
    "scope=repository:open/app:pull+repository:open/base:pull",
  ])("is given to pull what anyone may pull: %s", (args) => {
    expect(given(args)).toBe("1");
  });

  test.each([
    [undefined],
    [""],
    ["scope="],
    ["scope=repository:closed:pull"],
    ["scope=repository:open/app:push"],
    ["scope=repository:open/app:pull,push"],
    ["scope=repository:open/app:pull+repository:closed:pull"],
    ["scope=repository:open/app:pull+repository:open/app:push"],
    ["scope=registry:catalog:*"],
    ["scope=registry:open/app:pull"],
    ["scope=repository:open/app:pull:x"],
    // Two scopes in two parameters, of which registries read the first, the last, or both.
    ["scope=repository:open/app:pull&scope=repository:closed:pull"],
    [`scope=${Array.from({ length: 5 }, () => "repository:open/app:pull").join("+")}`],
  ])("is given for nothing else: %s", (args) => {
    expect(given(args)).toBe("");
  });

  test("does not exist where nothing is public", async () => {
    const closed = await scriptOf([{ repositories: ["**"], pull: ["ann"] }], {
      registry: { pull: "authenticated" },
    });
    expect(closed.publicScope).toBeUndefined();
  });
});

describe("the catalog comes in pages", () => {
  const ALL = Array.from(
    { length: 9 },
    (_, index) => `${index % 3 === 0 ? "open" : "closed"}/${index}`,
  ).sort();

  /** The catalog as the gateway answers, where the registry gives two names at a time. */
  async function page(args: object) {
    const asked: string[] = [];
    const headersOut: Record<string, string> = {};
    let answer: { status: number; body: string } | undefined;
    await script.guard({
      method: "GET",
      args,
      headersIn: { "X-Identity": "" },
      headersOut,
      variables: {},
      subrequest: async (_path: string, { args: query }: { args: string }) => {
        asked.push(query);
        const { n, last } = Object.fromEntries(new URLSearchParams(query));
        if (Number(n) > 1000) return { status: 400, headersOut: {}, responseText: "too many" };
        const rest = ALL.filter((name) => name > (last ?? ""));
        const Link = rest.length > 2 ? { Link: "<next>" } : {};
        return {
          status: 200,
          headersOut: Link,
          responseText: JSON.stringify({ repositories: rest.slice(0, 2) }),
        };
      },
      error: (message: string) => expect.unreachable(message),
      return: (status: number, body: string) => {
        answer = { status, body };
      },
    });
    return { ...answer, link: headersOut.Link, asked };
  }

  test("that are full of what the user may pull, and say where the next one begins", async () => {
    const first = await page({ n: "2" });
    expect(first).toMatchObject({ status: 200, body: '{"repositories":["open/0","open/3"]}\n' });
    expect(first.link).toBe('</v2/_catalog?last=open%2F3&n=2>; rel="next"');
    const second = await page({ n: "2", last: "open/3" });
    expect(second.body).toBe('{"repositories":["open/6"]}\n');
    expect(second.link).toBeUndefined();
  });

  test("of which the last may be full", async () => {
    expect((await page({ n: "3" })).link).toBeUndefined();
  });

  test("and larger ones than the registry gives are its own to refuse", async () => {
    expect(await page({ n: "2000" })).toMatchObject({ status: 400, body: "too many" });
  });
});
