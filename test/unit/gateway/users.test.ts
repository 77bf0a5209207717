/** What Authelia says of users, and whose address a client has. */
import { describe, expect, test } from "vitest";
import { clientAddress, networkOf } from "../../../src/services/gateway/program/client.js";
import { basicValue } from "../../support/basic.js";
import { inShort, programOf } from "./standIn.js";

describe("a client's address", () => {
  test.each([
    ["192.0.2.7", "192.0.2.7"],
    ["::ffff:192.0.2.7", "192.0.2.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
    ["2001:db8:1:2::1", "2001:db8:1:2"],
    ["2001:DB8:0001:2::", "2001:db8:1:2"],
    ["2001:db8::ffff:2:3:4", "2001:db8:0:0"],
    ["2001:db8::1", "2001:db8:0:0"],
    ["2001:db8:0:1::1", "2001:db8:0:1"],
    ["::1", "0:0:0:0"],
    ["fe80::1:2:3:4:5", "fe80:0:0:1"],
  ])("%s counts for the network %s", (address, network) => {
    expect(networkOf(address)).toBe(network);
  });

  test.each([
    [false, "203.0.113.9, 192.0.2.7", "10.0.0.1"],
    [true, undefined, "10.0.0.1"],
    [true, "10.0.0.1", "10.0.0.1"],
    [true, "203.0.113.9, 10.0.0.1", "203.0.113.9"],
    // What the client says of itself stands before it.
    [true, "198.51.100.1, 203.0.113.9, 10.0.0.1", "203.0.113.9"],
    [true, "203.0.113.9:4711, 10.0.0.1", "203.0.113.9"],
    [true, "[2001:db8::1]:4711, 10.0.0.1", "2001:db8::1"],
    [true, "2001:db8::1, 10.0.0.1", "2001:db8::1"],
    [true, "203.0.113.9,10.0.0.1", "203.0.113.9"],
    [true, "198.51.100.1, unknown, 10.0.0.1", "10.0.0.1"],
    [true, "evil, 10.0.0.1", "10.0.0.1"],
    [true, '203.0.113.9 " x, 10.0.0.1', "10.0.0.1"],
    [true, ", 10.0.0.1", "10.0.0.1"],
  ])("behind a trusted proxy (%s) that sends %j is %s", (isProxy, forwarded, expected) => {
    expect(clientAddress("10.0.0.1", isProxy, forwarded)).toBe(expected);
  });
});

describe("Authelia", () => {
  const BOTH = {
    users: { provider: "both" },
    access: [
      { repositories: ["a"], pull: ["group:devs", "group:Grüne Wiese", "user:ann"] },
      { repositories: ["b"], pull: "authenticated" },
    ],
  };
  const outcome = async (reply: object, repository = "a", provider = "both", user = "kim") => {
    const program = programOf({ ...BOTH, users: { provider } }, (place) =>
      place.endsWith("/authelia") ? reply : place.endsWith("/password") ? { status: 401 } : undefined,
    );
    return program({ user, uri: `/v2/${repository}/tags/list` });
  };
  const named = (user: string, groups = "") => ({
    headersOut: { "Remote-User": user, "Remote-Groups": groups },
  });
  const silent = "503 Authelia does not answer, so its users cannot log in at the moment";
  const unusable =
    "503 Authelia cannot tell who logs in at registry.a.example: its session cookies or access_control do not suit this host";
  const misnamed = "403 Authelia gives this account a name that no user of registry.a.example can have";
  const mayNot = (user: string) => `403 ${user} may not pull a`;

  test.each([
    [named("kim", "devs,all"), "@reads /v2/a/tags/list"],
    [named("kim", "all,Grüne Wiese"), "@reads /v2/a/tags/list"],
    // The name that Authelia gives counts, not the one that was typed.
    [named("ann"), "@reads /v2/a/tags/list"],
    [named("ANN"), mayNot("ANN")],
    [named("devs"), mayNot("devs")],
    [named("kim", "ann,group:devs,DEVS,dev,devs "), mayNot("kim")],
    [named(""), unusable],
    [{}, unusable],
    [{ status: 302 }, unusable],
    [{ status: 400 }, unusable],
    [{ status: 401 }, "401 wrong user name or password for registry.a.example"],
    [{ status: 403 }, "403 Authelia does not let this account use registry.a.example"],
    [{ status: 502 }, silent],
    [{ status: 504 }, silent],
  ] as [reply: object, expected: string][])("answers %j: %s", async (reply, expected) => {
    expect(inShort(await outcome(reply))).toBe(expected);
  });

  test.each([
    "ann,admins",
    "a b",
    'smith"',
    "hephaestus.temporary",
    "hephaestus-ui",
    "HEPHAESTUS.TEMPORARY",
    "Hephaestus-UI",
  ])("gives nobody the name %s", async (name) => {
    expect(inShort(await outcome(named(name)))).toBe(misnamed);
  });

  test.each([
    { status: 502 },
    { status: 400 },
  ])("%j does not let anybody guess the passwords of the registry's users meanwhile", async (reply) => {
    const guess = async (provider: string, passwords: readonly number[]) => {
      const program = programOf({ ...BOTH, users: { provider } }, (place) =>
        place.endsWith("/authelia") ? reply : { status: 401 },
      );
      const statuses = [];
      for (const password of passwords) {
        const headers = { Authorization: basicValue("ann", `wrong${password}`) };
        statuses.push((await program({ uri: "/v2/b/tags/list", headers })).status);
      }
      return statuses;
    };
    const others = Array.from({ length: 11 }, (_, index) => index);
    expect(await guess("both", others)).toEqual([...Array(10).fill(503), 429]);
    // A client that tries again guesses nothing.
    expect(await guess("both", Array(11).fill(1))).toEqual(Array(11).fill(503));
    // Nobody judges these.
    expect(await guess("authelia", others)).toEqual(Array(11).fill(503));
  });

  test("is asked behind the registry, and alone where it has all users but for accounts of the stack", async () => {
    const asked = async (user: string, provider: string) =>
      (await outcome(named("kim"), "b", provider, user)).questions;
    expect(await asked("kim", "both")).toEqual(["GET /ask/swift/password", "GET /ask/authelia"]);
    expect(await asked("kim", "authelia")).toEqual(["GET /ask/swift/authelia"]);
    for (const name of ["hephaestus-ui", "HEPHAESTUS.temporary"])
      for (const provider of ["both", "authelia"])
        expect(await asked(name, provider)).toEqual(["GET /ask/swift/password", "GET /ask/authelia"]);
  });
});
