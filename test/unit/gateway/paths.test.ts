/** What the gateway's program understands of an address: what it does not understand, the registry never hears. */
import { describe, expect, test } from "vitest";
import { parameters, parse, splitQuery } from "../../../src/services/gateway/program/request.js";
import fc from "../../support/properties.js";

const HEX = "a".repeat(64);
const DIGEST = `sha256:${HEX}`;
const brief = (method: string, uri: string) => {
  const asked = parse(method, splitQuery(uri));
  return asked && [asked.operation, asked.kind, asked.repository, asked.reference].filter(Boolean).join(" ");
};

describe("an address", () => {
  test.each([
    ["GET /v2/", "login login"],
    ["POST /v2/", "other login"],
    ["GET /v2/_catalog?n=1", "catalog catalog"],
    ["DELETE /v2/_catalog", "other catalog"],
    ["GET /v2/a/manifests/latest", "pull manifests a latest"],
    ["HEAD /v2/a/b/manifests/v1?x=/v2/other/manifests/y", "pull manifests a/b v1"],
    [`GET /v2/a/manifests/${DIGEST}`, `pull manifests a ${DIGEST}`],
    [`GET /v2/a/manifests/sha256%3A${HEX}`, `pull manifests a ${DIGEST}`],
    [`GET /v2/a/blobs/sha256%3a${HEX}`, `pull blobs a ${DIGEST}`],
    [`GET /v2/a/referrers/${DIGEST}?artifactType=x`, `pull referrers a ${DIGEST}`],
    ["GET /v2/a/tags/list", "pull tags a"],
    ["PUT /v2/a/manifests/v1", "push manifests a v1"],
    [`DELETE /v2/a/manifests/${DIGEST}`, `delete manifests a ${DIGEST}`],
    ["DELETE /v2/a/manifests/v1", "delete manifests a v1"],
    [`DELETE /v2/a/blobs/${DIGEST}`, `delete blobs a ${DIGEST}`],
    ["POST /v2/a/blobs/uploads/", "push uploads a"],
    ["PATCH /v2/a/blobs/uploads/0-0?_state=x", "push uploads a 0-0"],
    // The state of an upload is its user's.
    ["GET /v2/a/blobs/uploads/0-0", "push uploads a 0-0"],
    ["HEAD /v2/a/blobs/uploads/", "push uploads a"],
    ["DELETE /v2/a/blobs/uploads/0-0", "push uploads a 0-0"],
    // Methods that do nothing need the right to push.
    ["POST /v2/a/manifests/v1", "push manifests a v1"],
    ["OPTIONS /v2/a/tags/list", "push tags a"],
    ["DELETE /v2/a/tags/list", "push tags a"],
    ["PROPFIND /v2/a/manifests/v1", "push manifests a v1"],
    ["get /v2/a/manifests/v1", "push manifests a v1"],
    // Components that are called like the end of a path.
    ["GET /v2/tags/list/tags/list", "pull tags tags/list"],
    ["GET /v2/a/manifests/x/manifests/latest", "pull manifests a/manifests/x latest"],
    ["GET /v2/a/tags/list/manifests/latest", "pull manifests a/tags/list latest"],
    ["GET /v2/a/blobs/uploads/manifests/latest", "pull manifests a/blobs/uploads latest"],
    [`GET /v2/a/blobs/uploads/blobs/${DIGEST}`, `pull blobs a/blobs/uploads ${DIGEST}`],
    [`GET /v2/a/referrers/x/referrers/${DIGEST}`, `pull referrers a/referrers/x ${DIGEST}`],
    ["POST /v2/a/blobs/uploads/blobs/uploads/", "push uploads a/blobs/uploads"],
    ["GET /v2/a/catalog/tags/list", "pull tags a/catalog"],
    // The registry would take it for a tag.
    ["GET /v2/a/manifests/list", "pull manifests a list"],
  ])("%s is %s", (line, expected) => {
    const [method = "", uri = ""] = line.split(" ");
    expect(brief(method, uri)).toBe(expected);
  });

  test.each([
    "/v2",
    "/v2/a",
    "/v2//a/manifests/x",
    "/v2/a//manifests/x",
    "/v2/a/manifests//x",
    "/v2/a/manifests/x/",
    "/v2/a/manifests/",
    "//v2/a/manifests/x",
    "/V2/a/manifests/x",
    "/%76%32/a/manifests/x",
    "/v2/a%2Fb/manifests/x",
    "/v2/a%2fb/manifests/x",
    "/v2/a%252fb/manifests/x",
    "/v2/a/%6danifests/x",
    "/v2/a/manifests%2Fx",
    "/v2/./a/manifests/x",
    "/v2/a/../b/manifests/x",
    "/v2/a/%2e%2e/b/manifests/x",
    "/v2/a/..%2fb/manifests/x",
    "/v2/../v2/a/manifests/x",
    "/v2/a\\b/manifests/x",
    "/v2/a;b/manifests/x",
    "/v2/A/manifests/x",
    "/v2/a/B/tags/list",
    "/v2/-a/tags/list",
    "/v2/a_/tags/list",
    "/v2/a___b/tags/list",
    "/v2/ä/tags/list",
    "/v2/a /tags/list",
    "/v2/a\n/tags/list",
    "/v2/manifests/x",
    "/v2/tags/list",
    "/v2/_catalog/",
    "/v2/a/_catalog",
    "/v2/a/tags/list/",
    "/v2/a/tags/lists",
    "/v2/a/blobs/uploads",
    "/v2/a/blobs/x",
    "/v2/a/blobs/sha256:short",
    `/v2/a/blobs/sha256:${"A".repeat(64)}`,
    `/v2/a/blobs/sha256:${HEX}a`,
    `/v2/a/blobs/md5:${HEX}`,
    `/v2/a/manifests/x:${HEX}`,
    `/v2/a/blobs/sha256%3A%3A${HEX}`,
    `/v2/a/blobs/sha256:${HEX}%00`,
    "/v2/a/blobs/uploads/x/y",
    "/v2/a/blobs/uploads/%2e",
    "/v2/a/blobs/uploads/..",
    "/v2/a/blobs/uploads/0_0",
    "/v2/a/blobs/uploads/0=",
    "/v2/_catalog?last=%00",
    "/v2/a/tags/list?n=1&last=a%00b",
    "/v2/a/manifests/.x",
    "/v2/a/manifests/x%41",
    "/v2/a/manifests/x#",
    "/v2/a/manifests/x?#",
    "/v2/?#",
  ])("that names nothing: %j", (uri) => {
    for (const method of ["GET", "PUT", "DELETE", "POST"])
      expect(parse(method, splitQuery(uri))).toBeUndefined();
  });

  test("of the longest name is understood, and a longer one is not, which costs no time", () => {
    for (const [length, name] of [
      [255, "a".repeat(255)],
      [255, `${"a/".repeat(127)}a`],
      [256, "a".repeat(256)],
      [257, `${"a/".repeat(128)}a`],
    ] as const)
      expect(parse("GET", splitQuery(`/v2/${name}/tags/list`)) !== undefined, `${length}`).toBe(
        length === 255,
      );
    for (const length of [128, 129])
      expect(parse("GET", splitQuery(`/v2/a/manifests/${"x".repeat(length)}`)) !== undefined).toBe(
        length === 128,
      );
    const started = performance.now();
    for (const text of [
      "a".repeat(8000),
      "a-".repeat(4000),
      "a/".repeat(4000),
      "_".repeat(8000),
      "-a".repeat(4000),
    ])
      parse("GET", splitQuery(`/v2/${text}!/tags/list`));
    expect(performance.now() - started).toBeLessThan(200);
  });

  test("is sent on as it was judged: it is read again in the same way, and has no other spelling", () => {
    const part = fc.constantFrom(
      ..."a b v2 .. . blobs uploads manifests tags list referrers _catalog x-y %2F %2e A".split(" "),
      DIGEST,
      "",
    );
    fc.assert(
      fc.property(
        fc.array(part, { maxLength: 8 }),
        fc.constantFrom("GET", "PUT", "POST"),
        (parts, method) => {
          const uri = `/v2/${parts.join("/")}`;
          const asked = parse(method, splitQuery(uri));
          if (asked === undefined) return;
          expect(asked.path).toMatch(/^\/v2\/[a-zA-Z0-9._:/=-]*$/);
          expect(
            asked.path
              .split("/")
              .slice(1, -1)
              .filter((name) => /^\.{0,2}$/.test(name)),
          ).toEqual([]);
          expect(parse(method, splitQuery(asked.path))).toEqual({ ...asked, query: "" });
        },
      ),
      { numRuns: 3000 },
    );
  });
});

describe("a query", () => {
  test.each([
    ["", {}],
    ["from=a&mount=b", { from: "a", mount: "b" }],
    ["fr%6Fm=a%2Fb", { from: "a/b" }],
    ["x", { x: "" }],
    ["a=b+c", { a: "b c" }],
    ["FROM=a", { FROM: "a" }],
  ])("%s is read as the registry reads it", (query, expected) => {
    expect(Object.fromEntries(parameters(query) ?? [])).toEqual(expected);
  });

  test.each([
    "a=1&a=2",
    "a=1&%61=2",
    "x=1;y=2",
    "x=%zz",
    "%zz=1",
    "from=a&from",
  ])("%s is not clear", (query) => {
    expect(parameters(query)).toBeUndefined();
  });

  test("begins at the first question mark", () => {
    expect(splitQuery("/v2/a?b?c")).toEqual({ path: "/v2/a", query: "b?c" });
  });
});
