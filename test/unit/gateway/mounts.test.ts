/** Taking over a layer of another repository: only from where one may pull, and by no spelling of the query from elsewhere. */
import { describe, expect, test } from "vitest";
import { inShort, programOf, RULES, type Sent } from "./standIn.js";

const NO_SUCH_PATH = "404 no repository, tag or digest is written like this";

const program = programOf(RULES);
const answer = async (sent: Sent, from = program) => inShort(await from(sent));

describe("the source of a mount", () => {
  const BASE = "/v2/other/blobs/uploads/";
  const sent = async (user: string, query: string) =>
    (await program({ user, method: "POST", uri: `${BASE}?${query}` })).sent;
  test.each([
    ["ann", "mount=d&from=secret/x", "mount=d&from=secret%2Fx"],
    ["bob", "from=team%2Fx&mount=d", "from=team%2Fx&mount=d"],
    ["bob", "from=users/x&mount=d", "from=users%2Fx&mount=d"],
    ["cat", "from=other/y&mount=d", "from=other%2Fy&mount=d"],
    ["cat", "digest=sha256:0", "digest=sha256%3A0"],
    ["hephaestus.temporary", "mount=d&from=secret/x", "mount=d&from=secret%2Fx"],
  ])("is taken over by %s: %s", async (user, query, heard) => {
    expect(await sent(user, query)).toBe(`${BASE}?${heard}`);
  });

  test.each([
    ["bob", "mount=d&from=secret/x"],
    ["bob", "mount=d&from=secret%2Fx"],
    ["bob", "mount=d&fr%6Fm=secret/x"],
    ["crew", "mount=d&from=team/x"],
    ["ann", "mount=d&from=shut"],
    // No repository has such a name, whatever a glob says.
    ["ann", "mount=d&from=other/../secret"],
    ["bob", "mount=d&from=OTHER"],
    ["bob", "mount=d&from="],
    ["bob", "from=secret/x&from=other"],
    ["bob", "from=other&from=secret/x"],
    ["bob", "from=other&%66rom=secret/x"],
    // Go before 1.17 took a semicolon for a separator of parameters.
    ["bob", "x=1;from=secret/x&mount=d"],
    ["bob", "x=%zz&from=other"],
    ["bob", "/tags/list&mount=d&from=secret/x"],
    ["bob", "mount=d&from=secret/x&x=/manifests/"],
  ])("is nothing that %s may have: %s", async (user, query) => {
    expect(await sent(user, query)).toBe(BASE);
  });

  test("stands in the query alone, and in no fragment", async () => {
    const form = { "Content-Type": "application/x-www-form-urlencoded" };
    const outcome = await program({ user: "bob", method: "POST", uri: BASE, headers: form });
    expect(outcome.variables.sent_type).toBe("application/octet-stream");
    expect(await answer({ user: "bob", method: "POST", uri: `${BASE}?#&from=secret/x` })).toBe(NO_SUCH_PATH);
  });
});
