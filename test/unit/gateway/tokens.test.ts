/** What /auth/token gives to whom, and what users' tokens are good for. */
import { describe, expect, test } from "vitest";
import { tokensOf } from "../../../src/services/gateway/program/tokens.js";
import { basicValue } from "../../support/basic.js";
import fc from "../../support/properties.js";
import {
  bearerOf,
  inShort,
  programOf,
  RULES,
  SECRET,
  type Sent,
  standingClock,
  type Upstream,
} from "./standIn.js";

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
    expect(await tokenOf(wrong, `?service=x&scope=${scope}`)).toBe(isPublic ? "anonymous" : WRONG);
  });
});

describe("a user's token", () => {
  const read = { uri: "/v2/secret/a/tags/list" };
  const ALLOWED = "@reads /v2/secret/a/tags/list";
  const ENDED = "401 this token for registry.a.example has ended, another one is needed";
  /** A registry whose users can get other passwords, and that counts how often it was asked. */
  function changing(gateway = {}) {
    const state = { isRight: true, isThere: true, asked: 0 };
    const upstream: Upstream = (place) => {
      if (!place.endsWith("/password")) return undefined;
      state.asked++;
      return { status: !state.isThere ? 502 : state.isRight ? 200 : 401 };
    };
    return { state, program: programOf({ ...RULES, gateway }, upstream) };
  }

  test("has the name, and nothing that was derived from the password", async () => {
    const { body = "" } = await program({ uri: "/auth/token", user: "ann" });
    const { token, access_token, expires_in } = JSON.parse(body);
    expect([access_token, expires_in]).toEqual([token, 60]);
    const [payload = "", mac] = token.split(".");
    expect(JSON.parse(Buffer.from(payload, "base64url").toString())).toEqual({
      user: "ann",
      groups: [],
      checked: program.clock.now(),
    });
    expect(mac).toMatch(/^[\w-]{43}$/);
  });

  test("does what its user may do, and is logged with the name; nobody is asked about it", async () => {
    const headers = await bearerOf(program, "ann");
    const outcome = await program({ ...read, headers });
    expect([inShort(outcome), outcome.variables.person, outcome.questions]).toEqual([ALLOWED, "ann", []]);
    expect(outcome.variables.credential).toBeUndefined();
    const write = { method: "PUT", uri: "/v2/shut/manifests/x", headers };
    expect(inShort(await program(write))).toBe("403 ann may not push to shut");
    const other = { ...read, headers: await bearerOf(program, "bob") };
    expect(inShort(await program(other))).toBe("403 bob may not pull secret/a");
  });

  test("is asked about when it is made, and refused after 65 seconds; an old password after 45", async () => {
    const { state, program } = changing();
    const basic = { ...read, user: "ann" };
    const bearer = { ...read, headers: await bearerOf(program, "ann") };
    expect(inShort(await program(basic))).toBe(ALLOWED);
    state.isRight = false;
    await program.clock.sleep(44_999);
    expect(inShort(await program(basic))).toBe(ALLOWED);
    await program.clock.sleep(1);
    expect(inShort(await program(basic))).toBe(WRONG);
    expect(inShort(await program({ uri: "/auth/token", user: "ann" }))).toBe(WRONG);
    await program.clock.sleep(19_999);
    expect(inShort(await program(bearer))).toBe(ALLOWED);
    await program.clock.sleep(1);
    expect(inShort(await program(bearer))).toBe(ENDED);
  });

  test("is made from no answer that was remembered, but a wrong password is", async () => {
    const { state, program } = changing();
    const enter = async () => inShort(await program({ uri: "/auth/token", user: "ann" }));
    expect(await enter()).toBe("200");
    await program.clock.sleep(1001);
    expect([await enter(), state.asked]).toEqual(["200", 2]);
    state.isRight = false;
    await program.clock.sleep(1001);
    for (let times = 0; times < 3; times++) expect(await enter()).toBe(WRONG);
    expect(state.asked).toBe(3);
  });

  test("is made from the last answer while nobody can say, and ends no later for it", async () => {
    const { state, program } = changing();
    const enter = () => program({ uri: "/auth/token", user: "ann" });
    await enter();
    await program.clock.sleep(30_000);
    state.isThere = false;
    const headers = await bearerOf(program, "ann");
    await program.clock.sleep(14_999);
    expect(inShort(await enter())).toBe("200");
    await program.clock.sleep(1);
    expect((await enter()).status).toBe(503);
    await program.clock.sleep(19_999);
    expect(inShort(await program({ ...read, headers }))).toBe(ALLOWED);
    await program.clock.sleep(1);
    expect(inShort(await program({ ...read, headers }))).toBe(ENDED);
    // A password that the registry refused meanwhile is not among them.
    [state.isThere, state.isRight] = [true, false];
    expect(inShort(await enter())).toBe(WRONG);
    state.isThere = false;
    await program.clock.sleep(2000);
    expect(inShort(await enter())).toBe(WRONG);
  });

  test("is not made where it would have ended already", async () => {
    const { state, program } = changing({ remember: "300s" });
    const enter = () => program({ uri: "/auth/token", user: "ann" });
    await enter();
    state.isThere = false;
    await program.clock.sleep(64_999);
    expect(inShort(await enter())).toBe("200");
    await program.clock.sleep(1);
    expect(inShort(await enter())).toBe("503 the registry does not answer, try again");
    // The password itself counts as long as it is remembered.
    expect(inShort(await program({ ...read, user: "ann" }))).toBe(ALLOWED);
  });

  test("shares its check with all that are asked for within a second", async () => {
    const { state, program } = changing();
    await program({ uri: "/v2/", user: "ann" });
    await program.clock.sleep(10_000);
    state.asked = 0;
    const all = Array.from({ length: 20 }, () => program({ uri: "/auth/token", user: "ann" }));
    expect(new Set((await Promise.all(all)).map(({ status }) => status))).toEqual(new Set([200]));
    expect(state.asked).toBe(1);
  });

  test("shares its check with those for the same password in another spelling of Base64", async () => {
    const { state, program } = changing();
    // "bob:right1" leaves bits over that nothing reads.
    for (const spelling of ["Ym9iOnJpZ2h0MQ==", "Ym9iOnJpZ2h0MR==", "Ym9iOnJpZ2h0Mf==", "Ym9iOnJpZ2h0MQ"]) {
      const outcome = await program({
        uri: "/auth/token",
        headers: { Authorization: `Basic ${spelling}` },
      });
      expect(outcome.status).toBe(200);
    }
    expect(state.asked).toBe(1);
  });

  test("that has ended is answered with a challenge for the password, as containerd needs it", async () => {
    const headers = await bearerOf(program, "ann");
    await program.clock.sleep(65_000);
    const refused = await program({ ...read, headers });
    expect(refused.headers["WWW-Authenticate"]).toBe('Basic realm="registry.a.example"');
    expect(refused.variables.person).toBeUndefined();
    // What anyone may pull needs no token, so an old one does not hurt.
    expect(inShort(await program({ uri: "/v2/other/tags/list", headers }))).toBe(
      "@reads /v2/other/tags/list",
    );
  });

  test("gives no other token", async () => {
    const headers = await bearerOf(program, "ann");
    for (const from of [program, closed])
      expect(inShort(await from({ uri: "/auth/token", headers }))).toBe(LOG_IN);
  });

  test("is one of the clock of another node, but not of one that is far ahead", async () => {
    const elsewhere = programOf(RULES);
    const headers = async (ahead: number) => {
      elsewhere.clock.time = program.clock.time + ahead;
      return bearerOf(elsewhere, "ann");
    };
    expect(inShort(await program({ ...read, headers: await headers(30_000) }))).toBe(ALLOWED);
    expect(inShort(await program({ ...read, headers: await headers(32_000) }))).toBe(ENDED);
  });

  test("does not outlive its account, to the day", async () => {
    const ending = programOf(RULES, undefined, ",ann 20261201,");
    ending.clock.time = Date.UTC(2026, 10, 30, 23, 59, 30);
    const bearer = { ...read, headers: await bearerOf(ending, "ann") };
    await ending.clock.sleep(29_999);
    expect(inShort(await ending(bearer))).toBe(ALLOWED);
    await ending.clock.sleep(1);
    expect(inShort(await ending(bearer))).toBe("403 the account ann ended on 2026-12-01");
  });

  test("has the groups that rules name, and is refused where they are too many", async () => {
    const named = Array.from({ length: 300 }, (_, index) => `builders-of-team-${index}`);
    const access = [
      { repositories: ["few/**"], pull: ["group:few"] },
      { repositories: ["many/**"], pull: named.map((name) => `group:${name}`) },
    ];
    let groups = "few,none,others";
    const program = programOf(
      { access, users: { provider: "authelia" }, authelia: { url: "http://authelia:9091" } },
      (place) =>
        place.endsWith("/authelia")
          ? { status: 200, headersOut: { "Remote-User": "ann", "Remote-Groups": groups } }
          : undefined,
    );
    const headers = await bearerOf(program, "ann");
    const [payload = ""] = headers.Authorization.slice("Bearer ".length).split(".");
    expect(JSON.parse(Buffer.from(payload, "base64url").toString()).groups).toEqual(["few"]);
    expect(inShort(await program({ uri: "/v2/few/a/tags/list", headers }))).toBe(
      "@reads /v2/few/a/tags/list",
    );
    groups = named.join();
    await program.clock.sleep(2000);
    expect(inShort(await program({ uri: "/auth/token", user: "ann" }))).toBe(
      "403 ann is in more groups that rules name than a token has room for",
    );
  });

  test("is none that nobody issued: in parts, changed, of another stack, a password", async () => {
    const { Authorization } = await bearerOf(program, "ann");
    const token = Authorization.slice("Bearer ".length);
    const [payload = "", mac = ""] = token.split(".");
    const other = (await bearerOf(program, "hephaestus.temporary")).Authorization.slice("Bearer ".length);
    const [stronger = ""] = other.split(".");
    const clock = standingClock();
    const account = { user: "hephaestus.temporary", groups: [], checked: clock.now() };
    const foreign = tokensOf(SECRET.replace("5e", "07"), 60, clock.now).sign(account);
    const proto = Buffer.from('{"__proto__":{"user":"ann"},"user":"bob","user":"ann"}').toString("base64url");
    for (const forged of [
      ...[payload, mac, `${payload}.`, `.${mac}`, ".", "..", "", `${token}.`, `${token}.${mac}`, `.${token}`],
      ...[`${stronger}.${mac}`, `${proto}.${mac}`, `${payload}A.${mac}`, `${payload}.${mac}A`],
      ...[`${payload.slice(0, -1)}.${mac}`, `${payload}.${mac.slice(0, -1)}`, `${payload}=.${mac}`],
      ...[`${payload}.${mac}=`, `${payload}.${mac.toUpperCase()}`, `${payload} .${mac}`, `${token},${token}`],
      ...[`${payload}.${Buffer.from(mac, "base64url").toString("base64")}`, `${"A".repeat(5000)}.${mac}`],
      ...[foreign, Buffer.from("ann:right").toString("base64"), basicValue("ann", "right")],
      ...["null", "e30.", "e30.e30", `${mac}.${payload}`],
    ])
      for (const scheme of ["Bearer", "bearer", "Basic"]) {
        const headers = { Authorization: `${scheme} ${forged}` };
        // A user may have that name, whose password is none.
        const isName = scheme === "Basic" && /^[A-Za-z0-9+/]+=*$/.test(forged);
        const isPassword = isName && Buffer.from(forged, "base64").toString() === "ann:right";
        const expected = isPassword ? ALLOWED : isName ? WRONG : LOG_IN;
        expect(inShort(await program({ ...read, headers })), headers.Authorization).toBe(expected);
      }
    expect(inShort(await program({ ...read, headers: { Authorization: `Basic ${token}` } }))).toBe(LOG_IN);
  });

  test.each([
    "",
    "\n",
    "  secret: \n",
    "  secret: 5ec7e7\n",
  ])("is signed with no secret such as %j", (secret) => {
    expect(() => tokensOf(secret, 60, () => 0)).toThrow("http-secret is empty or too short");
  });

  test("is the whole text that was issued, whatever is changed in it", () => {
    const tokens = tokensOf(SECRET, 60, () => 0);
    const account = { user: "ann", groups: ["few"], end: 20271231, checked: 0 };
    const token = tokens.sign(account);
    expect(tokens.open(token)).toEqual({ account });
    const character = fc.constantFrom(..."ABCXYZabcxyz0189-_.=+/ ");
    const place = fc.nat(token.length);
    fc.assert(
      fc.property(place, place, fc.array(character, { maxLength: 4 }), (from, length, put) => {
        const changed = token.slice(0, from) + put.join("") + token.slice(from + length);
        fc.pre(changed !== token);
        expect(tokens.open(changed)).toBeUndefined();
      }),
    );
    fc.assert(
      fc.property(fc.string(), fc.string(), (payload, mac) => {
        const written = Buffer.from(payload).toString("base64url");
        expect(tokens.open(`${written}.${Buffer.from(mac).toString("base64url")}`)).toBeUndefined();
      }),
    );
  });
});
