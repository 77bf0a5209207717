import { afterEach, describe, expect, test, vi } from "vitest";
import fc from "../support/properties.js";
import { type GatewayScript, scriptOf } from "./gatewayScript.js";

const access = await scriptOf(
  [
    {
      repositories: ["team-a/**"],
      pull: ["user:ann", "group:devs", "group:Grüne Wiese"],
      immutable: ["v*"],
    },
    { repositories: ["users/*"], pull: "authenticated" },
    { repositories: ["closed"], pull: [] },
    { repositories: ["releases"], delete: ["user:ann"], immutable: ["v*"] },
  ],
  { registry: { delete: true }, users: { provider: "both" } },
);

const BASE = "/v2/open/blobs/uploads/";
const sent = (query: string, identity: string): string =>
  access.mountUri({ variables: { request_uri: `${BASE}?${query}`, identity } });

describe("the address of an upload that names the source of a mount", () => {
  test.each([
    ["mount=d&from=team-a/x", ",ann,,"],
    ["from=team-a%2Fx&mount=d", ",bob,devs,"],
    ["from=team-a%2Fx&mount=d", ",bob,x,Grüne Wiese,"],
    ["from=team-a/x&mount=d", "operator"],
    ["from=users/x&mount=d", ",bob,,"],
    ["from=other&mount=d", ",bob,,"],
    ["digest=sha256:0", ",bob,,"],
  ])("stays as it is: %s for %s", (query, identity) => {
    expect(sent(query, identity)).toBe(`${BASE}?${query}`);
  });

  test.each([
    ["mount=d&from=team-a/x", ",bob,,"],
    ["mount=d&from=team-a/x", ",annabel,an,"],
    // A group with the name of the user, and a user with the name of the group.
    ["mount=d&from=team-a/x", ",bob,ann,"],
    ["mount=d&from=team-a/x", ",devs,x,"],
    ["mount=d&from=team-a/x", ",bob,group:devs,Grüne,Wiese,"],
    ["mount=d&from=team-a", ""],
    ["mount=d&from=users/x", ""],
    ["mount=d&from=", ",ann,,"],
    ["mount=d&from=closed", ",,,"],
    ["from=team-a/x&from=other", ",bob,,"],
    // Go before 1.17 took a semicolon for a separator of parameters.
    ["x=1;from=team-a/x&mount=d", ",bob,,"],
    ["from=other&from=team-a/x", ",bob,,"],
    ["fr%6Fm=team-a/x", ",bob,,"],
    ["x=%zz&from=other", ",ann,,"],
  ])("loses its query: %s for %s", (query, identity) => {
    expect(sent(query, identity)).toBe(BASE);
  });
});

describe("a deletion where tags are immutable", () => {
  const DIGEST = `sha256:${"a".repeat(64)}`;
  /** What becomes of it: where it is sent, or why it is refused. */
  const outcome = async (uri: string): Promise<string> => {
    const headersOut: Record<string, string> = {};
    let sent = "";
    await access.guard({
      method: "DELETE",
      variables: { request_uri: uri },
      headersOut,
      subrequest: async (address: string) =>
        address.endsWith("/tags/list")
          ? { status: 200, responseText: '{"tags":["v1","latest"]}' }
          : { status: 200, responseText: "{}", headersOut: { "Docker-Content-Digest": DIGEST } },
      internalRedirect: (name: string) => {
        sent = name;
      },
      return: () => undefined,
      error: () => undefined,
    });
    return sent || `${headersOut["X-Denied"]}`;
  };

  test.each([
    ["manifests/v1", "tag"],
    [`manifests/${DIGEST}`, "content"],
    [`manifests/${DIGEST.replace(":", "%3A")}`, "content"],
    [`blobs/${DIGEST}`, "content"],
    [`blobs/sha256:${"b".repeat(64)}`, "content"],
    ["manifests/latest", "@registry"],
    [`manifests/sha256:${"b".repeat(64)}`, "@registry"],
  ])("of %s: %s, whatever its query says", async (path, wanted) => {
    for (const query of ["", "?", "?x=/manifests/latest", "?x=/v2/other/manifests/other", "?/blobs/x"])
      expect(await outcome(`/v2/team-a/app/${path}${query}`), query).toBe(wanted);
  });
});

describe("the catalog", () => {
  afterEach(() => vi.unstubAllGlobals());

  /** What the guard answers, and how many expressions it compiles for that. */
  async function catalog(script: GatewayScript, identity: string, names: string[]) {
    const compiled = vi.fn();
    vi.stubGlobal(
      "RegExp",
      class extends RegExp {
        constructor(pattern: string) {
          super(pattern);
          compiled(pattern);
        }
      },
    );
    let shown: string[] = [];
    await script.guard({
      method: "GET",
      args: { n: "1000" },
      headersIn: { "X-Identity": identity },
      headersOut: {},
      variables: {},
      subrequest: async () => ({
        status: 200,
        headersOut: {},
        responseText: JSON.stringify({ repositories: names }),
      }),
      error: (message: string) => expect.unreachable(message),
      return: (_status: number, body: string) => {
        shown = JSON.parse(body).repositories;
      },
    });
    return { shown, compiled: compiled.mock.calls.length };
  }

  test.each([
    ["", ["a/open", "open"]],
    [",ann,,", ["a/open", "a/secret", "a/x/y", "b/x", "open", "b/c/secret"]],
    [",bob,,", ["a/open", "b/x", "open"]],
    ["operator", ["a/open", "a/secret", "a/x/y", "b/x", "open", "b/c/secret"]],
  ])("names what %s may pull: the first rule that matches decides", async (identity, shown) => {
    const script = await scriptOf([
      { repositories: ["a/open"], pull: "anonymous" },
      { repositories: ["a/**", "**/secret"], pull: ["ann"] },
      { repositories: ["b/*"], pull: "authenticated" },
    ]);
    const names = ["a/open", "a/secret", "a/x/y", "b/x", "open", "b/c/secret"];
    expect((await catalog(script, identity, names)).shown).toEqual(shown);
  });

  test("compiles no more for 3,000 repositories than for 3, and few for 100 rules", async () => {
    const teams = Array.from({ length: 100 }, (_, index) => `team-${index}`);
    const script = await scriptOf(
      teams.map((team, index) => ({
        repositories: [`${team}/**`],
        pull: index % 2 === 0 ? "anonymous" : ["ann"],
      })),
    );
    const names = Array.from({ length: 3000 }, (_, index) => `team-${index % 100}/app-${index}`);
    const [few, many] = [await catalog(script, "", names.slice(0, 3)), await catalog(script, "", names)];
    expect(few.shown).toEqual(["team-0/app-0", "team-2/app-2"]);
    expect(many.shown).toHaveLength(1000);
    expect(new Set(many.shown.map((name) => name.replace(/\/.*/, ""))).size).toBe(50);
    expect(many.compiled).toBe(few.compiled);
    expect(many.compiled).toBeLessThan(10);
  });
});

/** The upstream of a deletion: what it is asked for, and what becomes of the request. */
async function deleted(
  reference: string,
  tags: Record<string, string>,
  manifests: Record<string, string[]>,
  { tagsStatus = 200, missing = 404 } = {},
): Promise<{ end: unknown; asked: string[] }> {
  const asked: string[] = [];
  let end: unknown;
  await access.guard({
    method: "DELETE",
    variables: { request_uri: `/v2/releases/manifests/${reference}` },
    headersOut: {},
    subrequest: async (path: string) => {
      const name = path.slice(path.lastIndexOf("/") + 1);
      if (name === "list")
        return { status: tagsStatus, responseText: JSON.stringify({ tags: Object.keys(tags) }) };
      asked.push(name);
      if (asked.length > 1000) throw new Error("no end");
      const digest = tags[name] ?? name;
      const children = manifests[digest];
      if (children === undefined) return { status: missing, responseText: "", headersOut: {} };
      return {
        status: 200,
        responseText: JSON.stringify({ manifests: children.map((child) => ({ digest: child })) }),
        headersOut: { "Docker-Content-Digest": digest },
      };
    },
    error: () => undefined,
    return: (status: number) => {
      end = status;
    },
    internalRedirect: (place: string) => {
      end = place;
    },
  });
  return { end, asked };
}

const digestOf = (number: number) => `sha256:${number.toString(16).padStart(64, "0")}`;

describe("the deletion of content", () => {
  test("is refused exactly where an immutable tag leads to it, and reads each manifest once", async () => {
    const graph = fc.array(fc.array(fc.nat(11), { maxLength: 4 }), { minLength: 1, maxLength: 10 });
    const names = fc.subarray(["v1", "v2", "latest", "constructor", "v__proto__"]);
    await fc.assert(
      fc.asyncProperty(graph, names, fc.nat(11), async (lists, tagNames, target) => {
        const manifests = Object.fromEntries(
          lists.map((children, number) => [digestOf(number), children.map(digestOf)]),
        );
        const tags = Object.fromEntries(tagNames.map((name, at) => [name, digestOf(at % lists.length)]));
        const reached = new Set(
          Object.entries(tags)
            .filter(([name]) => name.startsWith("v"))
            .map(([, digest]) => digest),
        );
        for (const digest of reached) for (const child of manifests[digest] ?? []) reached.add(child);
        const { end, asked } = await deleted(digestOf(target), tags, manifests);
        expect(end).toBe(reached.has(digestOf(target)) ? 403 : "@registry");
        const digests = asked.filter((name) => name.startsWith("sha256:"));
        expect(new Set(digests).size).toBe(digests.length);
      }),
    );
  });

  test("waits where the registry does not say which tags there are", async () => {
    expect((await deleted(digestOf(1), {}, {}, { tagsStatus: 500 })).end).toBe(503);
    expect((await deleted(digestOf(1), {}, {}, { tagsStatus: 404 })).end).toBe("@registry");
  });

  test("waits where the registry does not say what an immutable tag names, but not where the tag is gone", async () => {
    const tags = { v1: digestOf(0) };
    expect((await deleted(digestOf(1), tags, {}, { missing: 500 })).end).toBe(503);
    expect((await deleted(digestOf(1), tags, {})).end).toBe("@registry");
  });

  test("asks for no path that a manifest makes up", async () => {
    const { end, asked } = await deleted(
      digestOf(1),
      { v1: digestOf(0) },
      { [digestOf(0)]: ["../../other"] },
    );
    expect([end, asked]).toEqual([503, ["v1"]]);
  });
});
