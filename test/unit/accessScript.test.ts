import { describe, expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import { renderFiles } from "../../src/render/renderedFiles.js";
import { loadTemplates } from "../../src/render/templates.js";

const { config } = loadConfig(
  `domain: a.example
registry: { delete: true }
users: { provider: both }
access:
  - { repositories: ["team-a/**"], pull: ["user:ann", "group:devs", "group:Grüne Wiese"], immutable: ["v*"] }
  - { repositories: ["users/*"], pull: authenticated }
`,
  "f",
  {},
);
const script =
  renderFiles(config, loadTemplates(), "f").find(({ path }) => path === "gateway/access.js")?.text ?? "";
const { default: access } = (await import(`data:text/javascript,${encodeURIComponent(script)}`)) as {
  default: {
    mountUri(r: { variables: { request_uri: string; identity: string } }): string;
    guard(r: object): Promise<void>;
  };
};

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
