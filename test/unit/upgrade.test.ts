import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { KNOWN_DATE, KNOWN_IMAGES, planUpgrade } from "../../src/config/imageUpgrade.js";
import { loadConfig } from "../../src/config/load.js";
import fc from "../support/properties.js";

const newest = (name: string, major = "") =>
  KNOWN_IMAGES.find((image) => image.name === name)
    ?.versions.filter(({ version }) => version.startsWith(major))
    .at(-1)?.version as string;
const REGISTRY_2 = newest("registry", "2.");
const REGISTRY_3 = newest("registry", "3.");
const NGINX = newest("nginx");

const FILE = `# Our registry.

version: 1   # the format
domain:   "forge.example"
gateway: { image: 'nginx:1.28.0-alpine',   replicas: 2 } # two of them
registry:
    # Pinned by hand,
    # on a Monday.
    image: "mirror.example.com:5000/library/registry:2.8.2"   # not latest!
    storage:
          path: /srv/registry
`;

test("an upgrade changes the values of images and no other byte", () => {
  const { upgrades, left, text } = planUpgrade(FILE, false);
  expect(text).toBe(
    FILE.replace("nginx:1.28.0-alpine", `nginx:${NGINX}-alpine`).replace(
      "registry:2.8.2",
      `registry:${REGISTRY_2}`,
    ),
  );
  expect(upgrades.map(({ path, from, to }) => `${path} ${from} ${to}`)).toEqual([
    `registry.image mirror.example.com:5000/library/registry:2.8.2 mirror.example.com:5000/library/registry:${REGISTRY_2}`,
    `gateway.image nginx:1.28.0-alpine nginx:${NGINX}-alpine`,
  ]);
  expect(left).toEqual([]);
  const { config } = loadConfig(text, "f", {});
  expect(config.gateway.image).toBe(`nginx:${NGINX}-alpine`);
});

test.each([
  ["Windows line breaks", (text: string) => text.replaceAll("\n", "\r\n")],
  ["no line break at its end", (text: string) => text.trimEnd()],
  ["a byte order mark", (text: string) => `\uFEFF${text}`],
  ["a document marker and a comment behind it", (text: string) => `---\n${text}# the end`],
])("a file with %s keeps it", (_name, write) => {
  const source = write(FILE);
  const expected = source
    .replace("nginx:1.28.0-alpine", `nginx:${NGINX}-alpine`)
    .replace("registry:2.8.2", `registry:${REGISTRY_2}`);
  expect(planUpgrade(source, false).text).toBe(expected);
});

test("JSON stays JSON", () => {
  const source = JSON.stringify({ domain: "a.example", registry: { image: "registry:2.8.2" } }, null, 2);
  expect(planUpgrade(source, false).text).toBe(source.replace("2.8.2", REGISTRY_2));
});

describe("the line of the registry", () => {
  const source = "domain: a.example\nregistry: { image: registry:2.8.2, version: 2 } # both\n";

  test("stays without --major, and what lies beyond is named", () => {
    expect(planUpgrade(source, false).text).toBe(source.replace("2.8.2", REGISTRY_2));
    const { left } = planUpgrade(source.replace("2.8.2", REGISTRY_2), false);
    expect(left[0]?.reason).toBe(
      `is the newest that the table has of its line; with --major it goes to ${REGISTRY_3}`,
    );
  });

  test.each([
    "domain: a.example # ours\n",
    "domain: a.example # ours\nregistry:\n  delete: true # yes\n",
    "{ domain: a.example, registry: { delete: true } }\n",
  ])("changes with it in a file that leaves the registry to its default: %j", (source) => {
    const { text, upgrades } = planUpgrade(source, true);
    expect(upgrades.map(({ from, to }) => [from, to])).toEqual([
      ["registry:2.8.3", `registry:${REGISTRY_3}`],
    ]);
    const { registry } = loadConfig(text, "f", {}).config;
    expect(registry).toMatchObject({ image: `registry:${REGISTRY_3}`, version: 3 });
    for (const comment of source.match(/#.*/g) ?? []) expect(text).toContain(comment);
    expect(planUpgrade(text, true)).toMatchObject({ upgrades: [], text });
  });

  test("changes with it, where it stands beside the image too, with what to mind", () => {
    const { text, upgrades } = planUpgrade(source, true);
    expect(text).toBe(source.replace("2.8.2", REGISTRY_3).replace("version: 2", "version: 3"));
    expect(loadConfig(text, "f", {}).config.registry.version).toBe(3);
    expect(upgrades[0]?.versions.map(({ version }) => version)).toContain("3.0.0");
    expect(upgrades[0]?.versions.some(({ mind }) => mind !== undefined)).toBe(true);
  });
});

describe("stays as it is, with the reason:", () => {
  const digest = `@sha256:${"a".repeat(64)}`;
  test.each([
    ["registry", `registry:2.8.2${digest}`, /pinned by digest/],
    ["registry", "registry:2", /does not name a version/],
    ["registry", "registry", /does not name a version/],
    ["registry", "registry:3.0.0-rc.1", /does not name a version/],
    ["registry", "example.com/our-registry:2.8.2", /unknown image/],
    ["registry", `registry:${REGISTRY_3}`, /is the newest that the table has of its line$/],
    ["registry", "registry:3.99.0", /is newer than all known versions that the table has/],
    ["gateway", "nginx:1.28.0", /does not name a version; the table has nginx:[\d.]+-alpine/],
    ["gateway", "nginx:1.99.9-alpine", /is newer than all known versions/],
    ["ui", "quiq/registry-ui:0.10.4", /unknown image/],
  ])("%s.image %s", (key, image, reason) => {
    const source = `domain: a.example\n${key}: { image: "${image}" }\n`;
    const { upgrades, left, text } = planUpgrade(
      source,
      key === "registry" && !image.startsWith("registry:2"),
    );
    expect(upgrades).toEqual([]);
    expect(left).toContainEqual({ path: `${key}.image`, image, reason: expect.stringMatching(reason) });
    expect(text).toBe(source);
  });

  test("an alias", () => {
    const source = "domain: a.example\nregistry: { image: &r registry:2.8.3 }\ngateway: { image: *r }\n";
    expect(planUpgrade(source, false).left).toContainEqual({
      path: "gateway.image",
      image: "*r",
      reason: "is an alias",
    });
  });

  test.each([
    ["domain: a.example\n", false, /with --major it goes to 3/],
    ["x: &r { delete: true }\ndomain: a.example\nregistry: *r\n", true, /no place for it/],
  ])("what the file leaves to the default of the registry: %j", (source, major, reason) => {
    expect(planUpgrade(source, major)).toEqual({
      upgrades: [],
      left: [{ path: "registry.image", image: "registry:2.8.3", reason: expect.stringMatching(reason) }],
      text: source,
    });
  });
});

test("the table is in order, and each version is dated", () => {
  expect(KNOWN_DATE.getTime()).toBeGreaterThan(0);
  for (const { versions } of KNOWN_IMAGES) {
    const numbers = versions.map(({ version }) => version.split(".").map(Number));
    expect(numbers).toEqual([...numbers].sort((a, b) => compare(a, b)));
    for (const { version, date, note } of versions) {
      expect(version).toMatch(/^\d+\.\d+\.\d+$/);
      expect(date).toMatch(/^\d{4}-\d\d-\d\d$/);
      expect(note).not.toBe("");
    }
  }
});

const compare = (a: number[], b: number[]): number =>
  a.map((part, index) => part - (b[index] ?? 0)).find((difference) => difference !== 0) ?? 0;

test("whatever version a file names, an upgrade never goes down, and a second one changes nothing", () => {
  const version = fc.tuple(fc.nat(4), fc.nat(40), fc.nat(12));
  const prefix = fc.constantFrom("", "mirror.example.com/", "localhost:5000/library/");
  fc.assert(
    fc.property(version, version, version, prefix, fc.boolean(), (registry, nginx, ui, mirror, major) => {
      const before = [registry, nginx, ui];
      const source = `# ours
registry: { image: ${mirror}registry:${registry.join(".")} }
gateway:
  image: "${mirror}nginx:${nginx.join(".")}-alpine" # proxy
ui: { image: '${mirror}joxit/docker-registry-ui:${ui.join(".")}' }
`;
      const { text } = planUpgrade(source, major);
      const document = parse(text);
      for (const [index, key] of ["registry", "gateway", "ui"].entries()) {
        const image = String(document[key].image);
        expect(image.startsWith(mirror)).toBe(true);
        const after = (/:(\d+\.\d+\.\d+)(?:-alpine)?$/.exec(image)?.[1] ?? "").split(".").map(Number);
        expect(after).toHaveLength(3);
        expect(compare(after, before[index] ?? [])).toBeGreaterThanOrEqual(0);
        const line = String(before[index]?.[0]);
        if (!major) expect(String(after[0])).toBe(line);
        const best = KNOWN_IMAGES[index]?.versions.filter(
          ({ version }) => major || version.startsWith(`${line}.`),
        );
        const goal = best?.at(-1)?.version.split(".").map(Number);
        if (goal) expect(compare(after, goal)).toBeGreaterThanOrEqual(0);
      }
      const again = planUpgrade(text, major);
      expect(again.upgrades).toEqual([]);
      expect(again.text).toBe(text);
    }),
  );
});
