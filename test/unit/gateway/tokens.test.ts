/** What /auth/token gives to whom. */
import { describe, expect, test } from "vitest";
import { inShort, programOf, RULES, type Sent } from "./standIn.js";

const LOG_IN = "401 log in first: docker login registry.a.example";
const WRONG = "401 wrong user name or password for registry.a.example";
const ANONYMOUS = { Authorization: "Bearer anonymous" };

const program = programOf(RULES);
const closed = programOf({ registry: { pull: "authenticated" } });

describe("tokens", () => {
  const tokenOf = async (sent: Omit<Sent, "uri">, query = "", from = program) => {
    const outcome = await from({ ...sent, uri: `/auth/token${query}` });
    return outcome.status === 200 ? JSON.parse(outcome.body ?? "").token : inShort(outcome);
  };

  test("mean nobody where something is public, for any scope, and are not stored", async () => {
    for (const scope of [
      "",
      "?scope=repository:a:pull",
      "?scope=repository:a:push",
      "?scope=registry:catalog:*",
    ])
      expect(await tokenOf({}, scope)).toBe("anonymous");
    expect((await program({ uri: "/auth/token" })).headers["Cache-Control"]).toBe("no-store");
    expect(await tokenOf({}, "", closed)).toBe(LOG_IN);
    expect(await tokenOf({ headers: ANONYMOUS })).toBe(LOG_IN);
  });

  test("are for GET alone: containerd asks by POST first", async () => {
    expect(await tokenOf({ method: "POST" })).toBe("405 ask for tokens with GET");
    expect(await tokenOf({ method: "POST", user: "ann" })).toBe("405 ask for tokens with GET");
  });

  const wrong = { headers: { Authorization: `Basic ${Buffer.from("ann:no").toString("base64")}` } };
  test.each([
    ["repository:other:pull", true],
    ["repository%3Aother%2Fx%3Apull", true],
    ["repository:a:pull repository:b:pull", true],
    ["repository:a:pull%20repository:b:pull", true],
    ["repository:secret/a:pull", false],
    ["repository:a:pull repository:secret/a:pull", false],
    ["repository:a:pull,push", false],
    ["repository:a:*", false],
    ["repository:a:pull:x", false],
    ["repository:a", false],
    ["registry:catalog:*", false],
    ["", false],
    ["repository:a:pull&scope=repository:a:push", false],
    ["repository:a:pull repository:b:pull repository:c:pull repository:d:pull repository:e:pull", false],
  ])("for the scope %s need no check: %s", async (scope, isPublic) => {
    expect(await tokenOf(wrong, `?service=x&scope=${scope}`)).toBe(
      isPublic ? Buffer.from("ann:no").toString("base64") : WRONG,
    );
  });
});
