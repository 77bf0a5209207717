import { expect, test } from "vitest";
import { ConfigError, formatFinding } from "../../src/config/configFindings.js";
import { withValue } from "../../src/config/editable.js";
import { loadConfig } from "../../src/config/load.js";
import { isVersionRange } from "../../src/config/schema/imageMirror.js";
import { mirrorLoginsFrom } from "../../src/credentials/operatorVariables.js";
import { failuresOf, isUpToDate, parseRegsyncLog } from "../../src/mirror/regsyncLog.js";
import {
  imageParts,
  mirrorSources,
  mirrorTargets,
  plainRegistries,
  selfTarget,
  usedImage,
} from "../../src/services/mirrorSources.js";

const load = (text: string) => loadConfig(`domain: example.com\n${text}`, "hephaestus.yaml", {});
const findings = (text: string): string => {
  try {
    return load(text)
      .warnings.map(({ path, message }) => `${path}: ${message}`)
      .join("\n");
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.findings.map(formatFinding).join("\n");
  }
};

test("images are named as Docker completes them", () => {
  expect(imageParts("nginx:1.30")).toEqual({
    repository: "docker.io/library/nginx",
    tag: "1.30",
    digest: undefined,
  });
  expect(imageParts("joxit/ui:2").repository).toBe("docker.io/joxit/ui");
  expect(imageParts("hub:5000/a/b")).toEqual({
    repository: "hub:5000/a/b",
    tag: undefined,
    digest: undefined,
  });
  expect(imageParts("ghcr.io/a/b:v1@sha256:ab")).toEqual({
    repository: "ghcr.io/a/b",
    tag: "v1",
    digest: "sha256:ab",
  });
  expect(imageParts("localhost/a").repository).toBe("localhost/a");
  expect(selfTarget("registry:2.8.3")).toBe("mirror/library/registry");
});

test("own images are those that the services run, with each of their tags; a digest alone cannot be copied", () => {
  const { config } = load(`registry: { image: "registry@sha256:${"0".repeat(64)}", version: 2, delete: true }
regsync: { self: mirror }
gateway: { image: "nginx:1.30.5-alpine" }
ui: { enabled: false, image: "docker.io/library/nginx:1.29.0", admin: { enabled: true } }
`);
  expect(mirrorSources(config).map(({ from, tags }) => `${from} ${tags}`)).toEqual([
    "docker.io/library/nginx 1.30.5-alpine,1.29.0",
    "ghcr.io/regclient/regsync v0.11.7",
  ]);
});

test("a source is looked at as often as it says, and with TLS unless it says otherwise", () => {
  const { config } = load(`mirror:
  - { from: quay.io/a/b, to: b, tags: [x], every: 2d }
  - { from: "hub:5000/a/c", to: c, tags: [x], every: 6h, plainHttp: true }
`);
  expect(mirrorSources(config).map(({ interval }) => interval)).toEqual(["48h", "6h"]);
  expect(plainRegistries(config)).toEqual(["hub:5000"]);
});

test("the stack's own images are sources, and are used where the config says so", () => {
  const { config } = load("regsync: { self: mirror }\nui: { enabled: false }\n");
  expect(mirrorSources(config).map(({ name, from, tags }) => `${name} ${from} ${tags}`)).toEqual([
    "self docker.io/library/registry 2.8.3",
    "self docker.io/library/nginx 1.30.5-alpine",
    "self ghcr.io/regclient/regsync v0.11.7",
  ]);
  expect(usedImage(config, "registry:2.8.3")).toBe("registry:2.8.3");
  const used = { ...config, regsync: { ...config.regsync, self: "use" as const } };
  expect(usedImage(used, "registry:2.8.3")).toBe("registry.example.com/mirror/library/registry:2.8.3");
  expect(usedImage(used, `a/b:1@sha256:${"0".repeat(64)}`)).toBe(
    `registry.example.com/mirror/a/b:1@sha256:${"0".repeat(64)}`,
  );
  expect(mirrorTargets(load("").config)).toEqual([]);
});

test("an entry of tags is a glob or a range of versions", () => {
  expect(["3.2*", "latest", "v1.0", "1.2.3"].filter(isVersionRange)).toEqual([]);
  expect([">=3.20 <4", "^1.2", "~2", ">1.0.0-rc.1"].filter((range) => !isVersionRange(range))).toEqual([]);
});

test.each([
  [
    "{ from: docker.io/alpine, to: a, tags: [x] }",
    "Official images are in library: docker.io/library/alpine.",
  ],
  ["{ from: alpine, to: a, tags: [x] }", "is not a repository with its registry"],
  ["{ from: registry.example.com/a, to: b, tags: [x] }", "is in this registry itself"],
  ["{ from: registry.example.com:443/a, to: b, tags: [x] }", "is in this registry itself"],
  ["{ from: quay.io/a/b, to: a/self, tags: [x] }", "stands for the stack's own images"],
  ["{ from: quay.io/a/b, to: b, tags: [x], name: self }", "stands for the stack's own images"],
  [
    "{ from: quay.io/a/b, to: b, tags: [x] }, { from: quay.io/a/c, to: b, tags: [x] }",
    "would replace each other",
  ],
  [
    "{ from: quay.io/a/b, to: b, tags: [x], platforms: [linux/amd64, linux/arm64] }",
    "names several platforms",
  ],
  ["{ from: quay.io/a/b, to: b, tags: ['>= 3'] }", "is not a glob for tags or a range of versions"],
  ["{ from: quay.io/a/b, to: b, tags: [] }", "mirror.0.tags"],
])("a source that cannot be is refused: %s", (entry, message) => {
  expect(findings(`mirror: [${entry}]\n`)).toContain(message);
});

test("a repository may be named twice, such as for its tags and for a range of versions", () => {
  const entry =
    "{ from: quay.io/a/b, to: b, tags: [edge] }, { from: quay.io/a/b, to: b, tags: ['>=3'], name: c }";
  expect(findings(`mirror: [${entry}]\n`)).toBe("");
});

test("a tag that is immutable here is named, since it may move at its source", () => {
  const access = "access: [{ repositories: [b], immutable: ['v*'] }]\n";
  const found = findings(`${access}mirror: [{ from: quay.io/a/b, to: b, tags: ["v2*", v1, edge] }]\n`);
  // What a glob matches is new when it comes.
  expect(found.match(/mirror\..*immutable/g)).toEqual(["mirror.0.tags.1: the tag v1 of b is immutable"]);
});

const line = (entry: object) => JSON.stringify({ level: "INFO", ...entry });

test("regsync's log says what became of each image", () => {
  const image = { source: "docker.io/library/alpine:3", target: "r/mirror/alpine:3" };
  const other = { source: "docker.io/library/alpine:4", target: "r/mirror/alpine:4" };
  const report = parseRegsyncLog([
    "no JSON {",
    line({ msg: "Image sync needed", ...image }),
    line({ msg: "Failed to sync", ...image, error: "request failed [http 429]: slow down" }),
    line({ msg: "Image matches", ...other }),
    line({ msg: "Image matches for platform", ...other, target: "r/mirror/alpine:5" }),
    line({ msg: "Image refreshing", ...other, target: "r/mirror/alpine:6" }),
    line({ msg: "No matching tags found", source: "quay.io/a/b:latest" }),
    line({ msg: "Failed getting source tags", source: "quay.io/a/c:latest", error: "not found [http 404]" }),
  ]);
  expect(report.images.map(({ state }) => state)).toEqual(["failed", "current", "current", "refreshed"]);
  expect(report.images.map(isUpToDate)).toEqual([false, true, true, true]);
  expect(report.unmatched).toEqual(["quay.io/a/b"]);
  expect(failuresOf(report)).toEqual([
    "quay.io/a/c: is not there (any more); the copies here stay (not found [http 404])",
    "docker.io/library/alpine:3: the source limits how much is pulled; it is tried again at the next run (request failed [http 429]: slow down)",
  ]);
});

test.each([
  ["not found [http 404]: unknown", "is not there (any more)"],
  ["unauthorized [http 401]: ", "a login is needed"],
  ["failed to send blob (chunk), ref x:1: http status: not found [http 404]", "the copy was interrupted"],
  ["rate limit exceeded [http 429]: ", "the source limits how much is pulled"],
])("a cause is known by its status, not by a port or a digest: %s", (cause, words) => {
  for (const registry of ["hub:42903", "hub:14040", "hub:40199"]) {
    const error = `failed to list tags for ${registry}/app:latest: ${cause}`;
    const line = JSON.stringify({
      msg: "Failed getting source tags",
      source: `${registry}/app:latest`,
      error,
    });
    expect(failuresOf(parseRegsyncLog([line]))).toEqual([expect.stringContaining(`/app: ${words}`)]);
  }
});

test("an upload that the registry cannot store points to its disk", () => {
  const full =
    "failed to send blob (chunk), ref r/a:1: http status: unexpected http status code: Internal Server Error [http 500]";
  const report = parseRegsyncLog([
    line({ msg: "Failed to sync", source: "docker.io/library/alpine:3", target: "r/a:3", error: full }),
  ]);
  expect(failuresOf(report)[0]).toContain("see whether its disk is full with hephaestus doctor");
});

test("a wait for the rate limit is known until it ends", () => {
  const waits = line({ msg: "Delaying for rate limit", source: "docker.io/library/alpine:3" });
  expect(parseRegsyncLog([waits]).waitsFor).toBe("docker.io/library/alpine:3");
  const next = line({ msg: "Image sync needed", source: "docker.io/library/alpine:4", target: "r/a:4" });
  expect(parseRegsyncLog([waits, next]).waitsFor).toBeUndefined();
});

const auth = Buffer.from("ann:pass:word").toString("base64");

test("logins are those of a Docker config.json, and nothing else of it", () => {
  const text = JSON.stringify({
    auths: { "b.example": { username: "ann", password: "pass:word" }, "a.example": { auth } },
    HttpHeaders: { "X-Meta": "secret" },
  });
  expect(mirrorLoginsFrom({ REGISTRY_MIRROR_LOGINS: text })?.reveal()).toBe(
    JSON.stringify({ auths: { "a.example": { auth }, "b.example": { auth } } }),
  );
  expect(mirrorLoginsFrom({})).toBeUndefined();
});

test.each([
  ["nothing", "is no JSON"],
  ["[]", "has no auths"],
  ['{"auths":{}}', "has no logins"],
  ['{"auths":{"quay.io":{}}}', "at auths.quay.io: has no user and password"],
  ['{"auths":{"quay.io":{"username":"ann","password":""}}}', "at auths.quay.io: has no user and password"],
  ['{"auths":{"quay.io":{"username":"","password":"anvil"}}}', "at auths.quay.io: has no user and password"],
  ['{"auths":{"quay.io":{"auth":"%%"}}}', "at auths.quay.io: has no user and password"],
])("logins that cannot be are refused, and are not shown: %s", (text, message) => {
  expect(() => mirrorLoginsFrom({ REGISTRY_MIRROR_LOGINS: text })).toThrow(message);
});

test.each([
  ["domain: a.example\n", "domain: a.example\n\nregsync:\n  self: use\n"],
  ["domain: a.example # end", "domain: a.example # end\n\nregsync:\n  self: use\n"],
  [
    "domain:   a.example\r\nregsync: { self: 'off' }   # not yet\r\n",
    "domain:   a.example\r\nregsync: { self: 'use' }   # not yet\r\n",
  ],
  ["regsync:\n  # mine\n  image: x:1 # here\n", "regsync:\n  # mine\n  image: x:1 # here\n  self: use\n"],
  ["regsync: { image: 'x:1' } # here\n", "regsync: { image: 'x:1', self: use } # here\n"],
  ['{ "domain": "a.example" }\n', '{ "domain": "a.example", regsync: { self: use } }\n'],
])("a setting is put into a config file, and what people wrote there stays: %j", (before, after) => {
  expect(withValue(before, ["regsync", "self"], "use")).toBe(after);
});

test.each([
  "a: &x { image: y }\nregsync: *x\n",
  "regsync:\n",
])("a section with no place for a setting is left alone: %j", (text) => {
  expect(withValue(text, ["regsync", "self"], "use")).toBeUndefined();
});
