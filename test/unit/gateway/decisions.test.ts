/** Who may do what at the gateway: each question an attacker would ask, and what the program answers. */
import { describe, expect, test } from "vitest";
import { inShort, programOf, RULES, type Sent } from "./standIn.js";

const DIGEST = `sha256:${"a".repeat(64)}`;
const LOG_IN = "401 log in first: docker login registry.a.example";
const LOG_IN_FIRST = "403 log in first: docker login registry.a.example";
const WRONG = "401 wrong user name or password for registry.a.example";
const NO_SUCH_PATH = "404 no repository, tag or digest is written like this";
const NOT_FOUND = "404 this is a container registry: its API is at /v2/";
const ANONYMOUS = { Authorization: "Bearer anonymous" };

const program = programOf(RULES);
const open = programOf({});
const closed = programOf({ registry: { pull: "authenticated" } });
const answer = async (sent: Sent, from = program) => inShort(await from(sent));

test("a stack without a UI says that it is a registry", async () => {
  const plain = programOf({ ui: { enabled: false } });
  expect(await answer({ uri: "/" }, plain)).toBe(NOT_FOUND);
});

describe("who has no login", () => {
  test.each([
    ["GET", "/v2/other/manifests/x", "@reads /v2/other/manifests/x"],
    ["GET", `/v2/other/blobs/${DIGEST}`, `@reads /v2/other/blobs/${DIGEST}`],
    ["HEAD", `/v2/other/blobs/${DIGEST}`, `@reads /v2/other/blobs/${DIGEST}`],
    ["GET", "/v2/other/tags/list?n=1", "@reads /v2/other/tags/list?n=1"],
    // The registry hears no query where none counts.
    ["GET", "/v2/other/manifests/x?/v2/secret/manifests/x", "@reads /v2/other/manifests/x"],
    ["GET", "/v2/secret/a/manifests/x", LOG_IN],
    ["GET", "/v2/secret/manifests/x", LOG_IN],
    ["GET", "/v2/secret/a/tags/list", LOG_IN],
    ["GET", "/v2/users/a/tags/list", LOG_IN],
    ["GET", "/v2/", LOG_IN],
    ["PUT", "/v2/other/manifests/x", LOG_IN],
    ["POST", "/v2/other/blobs/uploads/", LOG_IN],
    ["GET", "/v2/other/blobs/uploads/1", LOG_IN],
    ["DELETE", `/v2/other/manifests/${DIGEST}`, LOG_IN],
    ["OPTIONS", "/v2/other/manifests/x", LOG_IN],
    ["PROPFIND", "/v2/_catalog", LOG_IN],
    ["POST", "/v2//other/blobs/uploads/", LOG_IN],
    ["GET", "/v2/other/../secret/a/manifests/x", NO_SUCH_PATH],
    ["GET", "/v2/other%2f..%2fsecret/manifests/x", NO_SUCH_PATH],
    ["GET", "/v2//secret/a/manifests/x", NO_SUCH_PATH],
    ["GET", "/v2/other/blobs/%75ploads/1", NO_SUCH_PATH],
    ["GET", "//v2/secret/a/manifests/x", NOT_FOUND],
    ["GET", "/v2?x", "301 /v2/"],
    ["GET", "/", "302 https://registry-ui.a.example/"],
    ["GET", "/auth/check", NOT_FOUND],
    ["GET", "/ask/password", NOT_FOUND],
    ["GET", "/ask/swift", NOT_FOUND],
    ["GET", "/registry/v2/secret/a/tags/list", NOT_FOUND],
  ])("%s %s: %s", async (method, uri, expected) => {
    const outcome = await program({ method, uri });
    expect([inShort(outcome), outcome.questions]).toEqual([expected, []]);
  });

  test("is told so with the anonymous token: another challenge would send some clients in circles", async () => {
    const ask = (method: string, uri: string, from = program) =>
      answer({ method, uri, headers: ANONYMOUS }, from);
    expect(await ask("GET", "/v2/")).toBe("@reads /v2/");
    expect(await ask("GET", "/v2/other/manifests/x")).toBe("@reads /v2/other/manifests/x");
    for (const [method, uri] of [
      ["PUT", "/v2/other/manifests/x"],
      ["GET", "/v2/secret/a/manifests/x"],
      ["POST", "/v2/"],
      ["POST", "/v2//other/blobs/uploads/"],
    ] as const)
      expect(await ask(method, uri), uri).toBe(LOG_IN_FIRST);
    expect(await ask("GET", "/v2/", closed)).toBe(LOG_IN);
    expect(await ask("GET", "/v2/_catalog", closed)).toBe(LOG_IN);
    expect(await answer({ uri: "/v2/_catalog" }, closed)).toBe(LOG_IN);
    expect(await answer({ uri: "/v2/_catalog" }, open)).toBe("@reads /v2/_catalog");
    expect(await ask("GET", "/v2/other/manifests/x", closed)).toBe(LOG_IN);
  });

  test.each([
    ...[
      "Digest x",
      "Basic",
      "Bearer",
      "Bearer a.b.c",
      "Bearer anonymous x",
      "anonymous",
      "XBearer anonymous",
    ],
    ...["Basic =", "Basic !", "Bearer anonymous=", "Negotiate x", "Bearer  "],
  ])("cannot say so in another way: %s", async (authorization) => {
    const sent = { uri: "/v2/other/manifests/x", headers: { Authorization: authorization } };
    expect(await answer(sent)).toBe(LOG_IN);
    expect(await answer({ ...sent, uri: "/v2/" })).toBe(LOG_IN);
    expect(await answer({ ...sent, method: "PUT" })).toBe(LOG_IN);
  });
});

describe("a user", () => {
  test.each([
    ["ann", "GET", "/v2/secret/a/manifests/x", "@reads /v2/secret/a/manifests/x"],
    ["bob", "GET", "/v2/secret/a/manifests/x", "403 bob may not pull secret/a"],
    ["bob", "GET", "/v2/team/a/manifests/x", "@reads /v2/team/a/manifests/x"],
    ["bob", "PUT", "/v2/team/a/manifests/x", "403 bob may not push to team/a"],
    ["ann", "PUT", "/v2/team/a/manifests/x", "@writes /v2/team/a/manifests/x"],
    ["ann", "PUT", "/v2/team/a/manifests/x?tag=v1", "@writes /v2/team/a/manifests/x"],
    ["bob", "DELETE", `/v2/team/a/manifests/${DIGEST}`, "403 bob may not delete from team/a"],
    ["cat", "GET", "/v2/users/a/tags/list", "@reads /v2/users/a/tags/list"],
    ["cat", "GET", "/v2/users/a/b/tags/list", "@reads /v2/users/a/b/tags/list"],
    ["cat", "GET", "/v2/shut/tags/list", "403 cat may not pull shut"],
    ["ann", "GET", "/v2/shut/tags/list", "403 ann may not pull shut"],
    // The group crew is no user, and the user crew is not in it.
    ["crew", "GET", "/v2/named/a/tags/list", "@reads /v2/named/a/tags/list"],
    ["ann", "GET", "/v2/named/a/tags/list", "403 ann may not pull named/a"],
    ["crew", "GET", "/v2/team/a/tags/list", "403 crew may not pull team/a"],
    // Names are compared exactly.
    ["ANN", "GET", "/v2/secret/a/tags/list", "403 ANN may not pull secret/a"],
    ["Ann", "GET", "/v2/secret/a/tags/list", "403 Ann may not pull secret/a"],
    ["anna", "GET", "/v2/secret/a/tags/list", "403 anna may not pull secret/a"],
    ["an", "GET", "/v2/secret/a/tags/list", "403 an may not pull secret/a"],
    ["anonymous", "GET", "/v2/secret/a/tags/list", "403 anonymous may not pull secret/a"],
    ["authenticated", "GET", "/v2/secret/a/tags/list", "403 authenticated may not pull secret/a"],
    ["constructor", "GET", "/v2/secret/a/tags/list", "403 constructor may not pull secret/a"],
    ["ann", "GET", "/v2/", "@reads /v2/"],
    ["ann", "POST", "/v2/", "@writes /v2/"],
    ["ann", "GET", "/v2/other/blobs/uploads/1?_state=x", "@writes /v2/other/blobs/uploads/1?_state=x"],
    ["ann", "OPTIONS", "/v2/_catalog", "@writes /v2/_catalog"],
    // Not even to those who may pull: what is written in another way names no repository.
    ["ann", "GET", "/v2/secret//a/tags/list", NO_SUCH_PATH],
    ["ann", "PUT", "/v2/team%2fa/manifests/x", NO_SUCH_PATH],
  ])("%s: %s %s: %s", async (user, method, uri, expected) => {
    expect(await answer({ user, method, uri })).toBe(expected);
  });

  test("with a wrong password gets what anyone may pull, and nothing else", async () => {
    const headers = { Authorization: `Basic ${Buffer.from("ann:wrong").toString("base64")}` };
    const public_ = await program({ uri: "/v2/other/manifests/x", headers });
    expect([inShort(public_), public_.questions]).toEqual(["@reads /v2/other/manifests/x", []]);
    for (const [method, uri] of [
      ["GET", "/v2/"],
      ["GET", "/v2/_catalog"],
      ["GET", "/v2/secret/a/manifests/x"],
      ["PUT", "/v2/other/manifests/x"],
      ["GET", "/v2/other/blobs/uploads/1"],
      ["POST", "/v2/_catalog"],
    ] as const)
      expect(await answer({ method, uri, headers }), uri).toBe(WRONG);
    const token = await program({ uri: "/auth/token", headers });
    expect(token.headers["WWW-Authenticate"]).toBe('Basic realm="registry.a.example"');
  });

  test("asks by HEAD what a push may leave out: nothing that is remembered answers", async () => {
    const [withReader, open] = [RULES, {}].map((config) =>
      programOf({ ...config, gateway: { cache: "1G" } }),
    );
    const head = { user: "ann", method: "HEAD" };
    expect(await answer({ ...head, uri: `/v2/other/blobs/${DIGEST}` }, withReader)).toBe(
      `@lists /v2/other/blobs/${DIGEST}`,
    );
    expect(await answer({ ...head, uri: `/v2/other/manifests/${DIGEST}` }, open)).toBe(
      `@manifests /v2/other/manifests/${DIGEST}`,
    );
    expect(await answer({ user: "ann", uri: `/v2/other/blobs/${DIGEST}` }, withReader)).toBe(
      `@layers /v2/other/blobs/${DIGEST}`,
    );
    // What may be deleted is not kept.
    expect(await answer({ uri: `/v2/other/manifests/${DIGEST}` }, withReader)).toBe(
      `@manifests /v2/other/manifests/${DIGEST}`,
    );
    expect(await answer({ uri: `/v2/other/manifests/${DIGEST}` }, open)).toBe(
      `@digests /v2/other/manifests/${DIGEST}`,
    );
  });

  test("cannot delete where nothing is deleted", async () => {
    for (const uri of [`/v2/a/manifests/${DIGEST}`, "/v2/a/manifests/x", `/v2/a/blobs/${DIGEST}`])
      expect(await answer({ user: "ann", method: "DELETE", uri }, open)).toMatch(
        /^405 this registry does not delete/,
      );
    expect(await answer({ method: "DELETE", uri: "/v2/a/manifests/x" }, open)).toBe(LOG_IN);
    expect(await answer({ user: "ann", method: "DELETE", uri: "/v2/a/blobs/uploads/1?_state=x" }, open)).toBe(
      "@writes /v2/a/blobs/uploads/1?_state=x",
    );
  });
});

test("an account that has ended is refused from its day on, and no other is", async () => {
  const ending = programOf({}, undefined, ",old 20251231,today 20261130,tomorrow 20261201,ci 20991231,");
  const ask = (user: string, uri = "/v2/") => answer({ user, uri }, ending);
  expect(await ask("old")).toBe("403 the account old ended on 2025-12-31");
  expect(await ask("today")).toBe("403 the account today ended on 2026-11-30");
  for (const user of ["tomorrow", "ci", "ol", "ld", "oldest", "20251231"])
    expect(await ask(user)).toBe("@reads /v2/");
  expect(await ask("old", "/auth/token")).toBe("403 the account old ended on 2025-12-31");
  expect(await ask("old", "/v2/a/manifests/x")).toBe("@reads /v2/a/manifests/x");
});

test("services of the Swarm are sent to the address that they asked, and nobody else decides it", async () => {
  const realm = async (host: string) =>
    (await program({ uri: "/v2/", headers: { Host: host } })).headers["WWW-Authenticate"];
  expect(await realm("registry:5000")).toBe(
    'Bearer realm="http://registry:5000/auth/token",service="registry:5000"',
  );
  for (const host of ["evil.example", "registry:5000.evil.example", "REGISTRY:5000", ""])
    expect(await realm(host)).toBe(
      'Bearer realm="https://registry.a.example/auth/token",service="registry.a.example"',
    );
});

test("a fault of the program refuses", async () => {
  const broken = programOf({}, () => {
    throw new Error("no answer");
  });
  const outcome = await broken({ user: "ann", uri: "/v2/" });
  expect([inShort(outcome), outcome.errors]).toEqual([
    "503 the registry does not answer, try again",
    ["gateway: Error: no answer"],
  ]);
});
