/** Tags that stay as they are: what is pushed to them, and what is deleted beside them. */
import { describe, expect, test } from "vitest";
import type { Reply } from "../../../src/services/gateway/program/nginx.js";
import fc from "../../support/properties.js";
import { inShort, programOf, type Upstream } from "./standIn.js";

const RULES = { registry: { delete: true }, access: [{ repositories: ["releases"], immutable: ["v*"] }] };
const digestOf = (number: number) => `sha256:${number.toString(16).padStart(64, "0")}`;

/** Sends something that changes a repository. @returns what becomes of it */
const changed = async (method: string, path: string, upstream: Upstream, repository = "releases") =>
  programOf(RULES, upstream)({ user: "ann", method, uri: `/v2/${repository}/${path}` });

describe("a manifest", () => {
  const put = (path: string, reply: Partial<Reply>, repository?: string) =>
    changed("PUT", path, (place) => (place.startsWith("/registry/") ? reply : undefined), repository);
  const there = { status: 200, headersOut: { "Docker-Content-Digest": digestOf(1) } };

  test.each([
    // A new tag.
    ["manifests/v1", { status: 404 }, "@writes /v2/releases/manifests/v1"],
    // By the digest that the tag has already, the registry takes the same content alone.
    ["manifests/v1", there, `@immutable /v2/releases/manifests/${digestOf(1)}`],
    ["manifests/v1?x=/v2/other/manifests/", there, `@immutable /v2/releases/manifests/${digestOf(1)}`],
    ["manifests/v1?tag=x", there, `@immutable /v2/releases/manifests/${digestOf(1)}`],
    ["manifests/latest", there, "@writes /v2/releases/manifests/latest"],
    [`manifests/${digestOf(2)}?tag=v1`, there, `@writes /v2/releases/manifests/${digestOf(2)}`],
    ["manifests/v1", { status: 500 }, "503 the registry does not answer, try again"],
    ["manifests/v1", { status: 401 }, "503 the registry does not answer, try again"],
    ["manifests/v1", { status: 200 }, "503 the registry does not answer, try again"],
    [
      "manifests/v1",
      { ...there, headersOut: { "Docker-Content-Digest": "../x" } },
      "503 the registry does not answer, try again",
    ],
  ])("for %s where the registry says %j: %s", async (path, reply, expected) => {
    expect(inShort(await put(path, reply))).toBe(expected);
  });

  test("that differs is refused with the tag's name", async () => {
    const { variables } = await put("manifests/v1", there);
    expect(variables.refusal).toContain('"message":"the tag v1 of releases is immutable"');
  });

  test("of a repository without immutable tags costs no question", async () => {
    const { questions } = await put("manifests/v1", there, "other");
    expect(questions.filter((place) => place.includes("/registry/"))).toEqual([]);
  });
});

describe("a deletion", () => {
  const upstream: Upstream = (place) =>
    place.endsWith("/tags/list")
      ? { responseText: '{"tags":["v1","latest"]}' }
      : place.startsWith("/registry/")
        ? { responseText: "{}", headersOut: { "Docker-Content-Digest": digestOf(1) } }
        : undefined;
  const sent = (reference: string) => `@writes /v2/releases/manifests/${reference}`;
  const needed = "403 an immutable tag of releases needs this";

  test.each([
    ["manifests/v1", "403 the tag v1 of releases is immutable"],
    [`manifests/${digestOf(1)}`, needed],
    [`manifests/${digestOf(1).replace(":", "%3A")}`, needed],
    [`blobs/${digestOf(1)}`, needed],
    [`blobs/${digestOf(2)}`, needed],
    ["manifests/latest", sent("latest")],
    [`manifests/${digestOf(2)}`, sent(digestOf(2))],
  ])("of %s: %s, whatever its query says", async (path, expected) => {
    for (const query of ["", "?", "?x=/manifests/latest", "?x=/v2/other/manifests/other", "?/blobs/x"])
      expect(inShort(await changed("DELETE", path + query, upstream)), query).toBe(expected);
  });

  /** Deletes a digest where tags name manifests that list others. @returns the outcome, and what was read for it */
  async function deleted(
    reference: string,
    tags: Record<string, string>,
    manifests: Record<string, string[]>,
    { tagsStatus = 200, missing = 404 } = {},
  ) {
    const read: string[] = [];
    const outcome = await changed("DELETE", `manifests/${reference}`, (place) => {
      if (!place.startsWith("/registry/")) return undefined;
      const name = place.slice(place.lastIndexOf("/") + 1);
      if (name === "list")
        return { status: tagsStatus, responseText: JSON.stringify({ tags: Object.keys(tags) }) };
      read.push(name);
      if (read.length > 1000) throw new Error("no end");
      const digest = Object.hasOwn(tags, name) ? (tags[name] ?? "") : name;
      const children = manifests[digest];
      if (children === undefined) return { status: missing };
      return {
        responseText: JSON.stringify({ manifests: children.map((child) => ({ digest: child })) }),
        headersOut: { "Docker-Content-Digest": digest },
      };
    });
    return { end: inShort(outcome), read };
  }
  const unavailable = "503 the registry does not answer, try again";

  test("of a digest is refused exactly where an immutable tag leads to it, and reads each manifest once", async () => {
    const graph = fc.array(fc.array(fc.nat(11), { maxLength: 4 }), { minLength: 1, maxLength: 10 });
    const names = fc.subarray(["v1", "v2", "latest", "constructor", "v__proto__"]);
    await fc.assert(
      fc.asyncProperty(graph, names, fc.nat(11), async (lists, tagNames, target) => {
        const manifests = Object.fromEntries(
          lists.map((children, number) => [digestOf(number), children.map(digestOf)]),
        );
        const tags = Object.fromEntries(tagNames.map((name, at) => [name, digestOf(at % lists.length)]));
        const reached = new Set(
          Object.entries(tags)
            .filter(([name]) => name.startsWith("v"))
            .map(([, digest]) => digest),
        );
        for (const digest of reached) for (const child of manifests[digest] ?? []) reached.add(child);
        const { end, read } = await deleted(digestOf(target), tags, manifests);
        expect(end).toBe(reached.has(digestOf(target)) ? needed : sent(digestOf(target)));
        const digests = read.filter((name) => name.startsWith("sha256:"));
        expect(new Set(digests).size).toBe(digests.length);
      }),
    );
  });

  test("waits where the registry does not say which tags there are", async () => {
    expect((await deleted(digestOf(1), {}, {}, { tagsStatus: 500 })).end).toBe(unavailable);
    expect((await deleted(digestOf(1), {}, {}, { tagsStatus: 404 })).end).toBe(sent(digestOf(1)));
  });

  test("waits where the registry does not say what an immutable tag names, but not where the tag is gone", async () => {
    const tags = { v1: digestOf(0) };
    expect((await deleted(digestOf(1), tags, {}, { missing: 500 })).end).toBe(unavailable);
    expect((await deleted(digestOf(1), tags, {})).end).toBe(sent(digestOf(1)));
  });

  test("asks for no path that a manifest makes up", async () => {
    const { end, read } = await deleted(digestOf(1), { v1: digestOf(0) }, { [digestOf(0)]: ["../../other"] });
    expect([end, read]).toEqual([unavailable, ["v1"]]);
  });
});
