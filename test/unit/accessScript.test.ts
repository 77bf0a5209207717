import { afterEach, describe, expect, test, vi } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import { renderFiles } from "../../src/render/renderedFiles.js";
import { loadTemplates } from "../../src/render/templates.js";

interface Script {
  mountUri(r: { variables: { request_uri: string; identity: string } }): string;
  guard(r: object): Promise<void>;
}

/** The script of a config with these rules. */
async function scriptOf(rules: object[], more: object = {}): Promise<Script> {
  const { config } = loadConfig(JSON.stringify({ domain: "a.example", access: rules, ...more }), "f", {});
  const files = renderFiles(config, loadTemplates(), "f");
  const text = files.find(({ path }) => path === "gateway/access.js")?.text ?? "";
  return (await import(`data:text/javascript,${encodeURIComponent(text)}`)).default;
}

const access = await scriptOf(
  [
    {
      repositories: ["team-a/**"],
      pull: ["user:ann", "group:devs", "group:Grüne Wiese"],
      immutable: ["v*"],
    },
    { repositories: ["users/*"], pull: "authenticated" },
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
  async function catalog(script: Script, identity: string, names: string[]) {
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
    expect(many.compiled).toBe(few.compiled);
    expect(many.compiled).toBeLessThan(10);
  });
});
