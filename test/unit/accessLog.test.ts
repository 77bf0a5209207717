import { describe, expect, test } from "vitest";
import { isEvent, parseAccess } from "../../src/frontDoor/gatewayLog.js";
import fc from "../support/properties.js";

const DIGEST = `sha256:${"a".repeat(64)}`;
const plain = (request: string, status = 200, user = "ann", agent = "docker/28.2.2 go/go1.24") =>
  `10.0.1.7 "${user}" [2026-11-26T10:00:00+01:00] "${request}" ${status} 512 0.004 "${agent}"`;

describe("a line of the gateway's log", () => {
  test("in the plain format", () => {
    expect(parseAccess(plain(`PUT /v2/team/app/manifests/v1`, 201))).toEqual({
      at: new Date("2026-11-26T09:00:00Z"),
      user: "ann",
      via: undefined,
      address: "10.0.1.7",
      method: "PUT",
      path: "/v2/team/app/manifests/v1",
      action: "push",
      repository: "team/app",
      reference: "v1",
      status: 201,
      bytes: 512,
      seconds: 0.004,
      userAgent: "docker/28.2.2 go/go1.24",
    });
  });

  test("in the JSON format", () => {
    const fields = {
      time: "2026-11-26T09:00:00+00:00",
      address: "::1",
      user: "",
      method: "GET",
      status: 200,
    };
    const line = JSON.stringify({ ...fields, path: `/v2/a/manifests/${DIGEST}`, bytes: 1, seconds: 0 });
    expect(parseAccess(line)).toMatchObject({
      user: undefined,
      via: undefined,
      action: "pull",
      repository: "a",
      reference: DIGEST,
    });
  });

  test.each([
    ["GET /v2/", "login", undefined],
    ["GET /auth/token", "login", undefined],
    ["GET /auth/anonymous", "login", undefined],
    ["GET /v2/_catalog", "list", undefined],
    ["GET /v2/a/tags/list", "list", "a"],
    [`GET /v2/a/b/referrers/${DIGEST}`, "list", "a/b"],
    [`HEAD /v2/a/blobs/${DIGEST}`, "pull", "a"],
    ["POST /v2/a/blobs/uploads/", "push", "a"],
    ["PATCH /v2/a/blobs/uploads/1-2", "push", "a"],
    ["GET /v2/a/blobs/uploads/1-2", "push", "a"],
    ["DELETE /v2/a/blobs/uploads/1-2", "push", "a"],
    [`DELETE /v2/a/manifests/${DIGEST}`, "delete", "a"],
    // Components of a repository may have the names of the API's own.
    ["PUT /v2/a/blobs/uploads/manifests/v1", "push", "a/blobs/uploads"],
    ["GET /v2/manifests/manifests/v1", "pull", "manifests"],
    ["GET /", undefined, undefined],
    ["POST /v2/a/manifests/v1", undefined, "a"],
  ])("%s is a %s of %s", (request, action, repository) => {
    expect(parseAccess(plain(request))).toMatchObject({ action, repository });
  });

  test.each([
    "2026/11/26 10:00:00 [warn] 7#7: *1 a client request body is buffered",
    "/docker-entrypoint.sh: Configuration complete; ready for start up",
    "{",
    '{"time":"now"}',
    '{"time":"2026-11-26T10:00:00Z","method":"GET","status":"none","bytes":0,"seconds":0}',
    '{"time":"2026-11-26T10:00:00Z","method":"GET","user":{},"status":200,"bytes":0,"seconds":0}',
    "[]",
    "",
    plain("", 400),
  ])("is none: %s", (line) => expect(parseAccess(line)).toBeUndefined());

  test("who asks through the admin UI", () => {
    const json = JSON.stringify({
      time: "2026-11-26T10:00:00Z",
      method: "GET",
      user: "ann via hephaestus-ui-2",
      ...{ status: 200, bytes: 0, seconds: "0.001" },
    });
    for (const line of [plain("GET /v2/", 200, "ann via hephaestus-ui-2"), json])
      expect(parseAccess(line)).toMatchObject({ user: "ann", via: "hephaestus-ui-2" });
  });

  test("no user, and no wrong one", () => {
    expect(parseAccess(plain("GET /v2/", 200, "-"))?.user).toBeUndefined();
    expect(parseAccess(plain("GET /v2/", 200, ""))?.user).toBeUndefined();
  });

  test("whatever a client calls itself, its name stays within its field", () => {
    /** As nginx escapes. */
    const escaped = (text: string) =>
      [...Buffer.from(text)]
        .map((byte) =>
          byte < 32 || byte > 126 || byte === 34 || byte === 92
            ? `\\x${byte.toString(16).toUpperCase().padStart(2, "0")}`
            : String.fromCharCode(byte),
        )
        .join("");
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (agent) => {
        const line = plain("GET /v2/a/tags/list", 200, "ann", escaped(agent));
        expect(parseAccess(line)).toMatchObject({ user: "ann", userAgent: agent, repository: "a" });
      }),
      { numRuns: 1000 },
    );
  });
});

test.each([
  ["PUT /v2/a/manifests/v1", 201, true],
  ["GET /v2/a/manifests/v1", 200, true],
  ["GET /v2/a/manifests/v1", 404, true],
  ["GET /v2/a/manifests/v1", 401, false],
  ["HEAD /v2/a/manifests/v1", 200, false],
  [`DELETE /v2/a/manifests/${DIGEST}`, 202, true],
  [`DELETE /v2/a/manifests/${DIGEST}`, 405, true],
  [`GET /v2/a/blobs/${DIGEST}`, 200, false],
  ["POST /v2/a/blobs/uploads/", 202, false],
  ["POST /v2/a/blobs/uploads/", 403, true],
  ["GET /auth/token", 200, false],
  ["GET /auth/token", 401, true],
  ["GET /auth/token", 429, true],
  ["GET /v2/", 401, false],
  ["GET /v2/a/tags/list", 200, false],
])("%s that ends with %d is an event: %s", (request, status, expected) => {
  const access = parseAccess(plain(request, status));
  expect(access && isEvent(access)).toBe(expected);
});
