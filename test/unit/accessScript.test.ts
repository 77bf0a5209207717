import { describe, expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import { renderFiles } from "../../src/render/renderedFiles.js";
import { loadTemplates } from "../../src/render/templates.js";

const { config } = loadConfig(
  `domain: a.example
access:
  - { repositories: ["team-a/**"], pull: [ann] }
  - { repositories: ["users/*"], pull: authenticated }
`,
  "f",
  {},
);
const script =
  renderFiles(config, loadTemplates(), "f").find(({ path }) => path === "gateway/access.js")?.text ?? "";
const { default: access } = (await import(`data:text/javascript,${encodeURIComponent(script)}`)) as {
  default: { mountUri(r: { variables: { request_uri: string; identity: string } }): string };
};

const BASE = "/v2/open/blobs/uploads/";
const sent = (query: string, identity: string): string =>
  access.mountUri({ variables: { request_uri: `${BASE}?${query}`, identity } });

describe("the address of an upload that names the source of a mount", () => {
  test.each([
    ["mount=d&from=team-a/x", ",ann,,"],
    ["from=team-a%2Fx&mount=d", ",bob,ann,"],
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
