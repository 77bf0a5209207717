/**
 * Rules for repositories: the running gateway is compared with a model of the rules; each rule that is taken away or widened
 * is noticed; and fuzzed requests of several users read and change nothing that the rules do not allow.
 */
import { readFile } from "node:fs/promises";
import bcrypt from "bcryptjs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Authelia } from "../support/authelia.js";
import { FUZZED, fuzzRules } from "./access/fuzz.js";
import { may, PEOPLE, REPOSITORIES, RULES } from "./access/model.js";
import { type AccessMutation, accessMutations, FORMER_FAULTS } from "./access/mutations.js";
import { PASSWORD, Sweep } from "./access/sweep.js";
import { addressForTasks } from "./addresses.js";
import { type Image, pushImage, putManifest } from "./attacks/image.js";
import { basic, type Door } from "./attacks/raw.js";
import { startGateways } from "./attacks/standIns.js";
import { Target } from "./attacks/target.js";
import { useSwarm } from "./swarm.js";

const swarm = useSwarm();
const USERS = ["ann", "bob", "ci", "anna"];
const TODAY = new Date().toISOString().slice(0, 10);
const CREDENTIALS = {
  REGISTRY_HTPASSWD: [
    "# until old 20251231\n",
    `# until today ${TODAY.replaceAll("-", "")}\n`,
    "# until ci 20991231\n",
    ...[...USERS, "old", "today"].map((user) => `${user}:${bcrypt.hashSync(PASSWORD, 4)}\n`),
  ].join(""),
  REGISTRY_USERNAME: "ann",
  REGISTRY_RAW_PASSWORD: PASSWORD,
};
let authelia: Authelia;
let target: Target;
const images = new Map<string, Image>();
let mutations: AccessMutation[];
let sweeps: Sweep[];
let faulty: Door[];
const caught: string[] = [];

beforeAll(async () => {
  const people = Object.entries(PEOPLE).map(([name, groups]) => [name, { password: PASSWORD, groups }]);
  authelia = new Authelia(await addressForTasks(), 9091, "localhost", Object.fromEntries(people));
  await authelia.start();
  const root = { ...RULES, users: { provider: "both" }, authelia: { url: authelia.url } };
  const changes = { root, registry: { delete: true }, gateway: { cache: "100M" } };
  target = await Target.deploy("access", [5000, 8080], swarm, changes, CREDENTIALS);
  const { registry } = await target.inside();
  for (const repository of REPOSITORIES)
    images.set(repository, await pushImage(registry, basic("ann", PASSWORD), repository, "latest"));
  // The content of one that is immutable.
  const app = images.get("team-a/app") as Image;
  await putManifest(registry, basic("ann", PASSWORD), app, "v1");
  const [config, script] = await Promise.all(
    ["nginx.conf", "access.js"].map((name) => readFile(`${target.workspace.folder}/gateway/${name}`, "utf8")),
  );
  mutations = accessMutations(config as string);
  const sites = await startGateways(
    target,
    mutations.map(({ of, change }) => ({
      config: of === "config" ? change(config as string) : (config as string),
      script: of === "script" ? change(script as string) : (script as string),
      around: "stack",
    })),
    app,
  );
  sweeps = sites.map(({ door }) => new Sweep(door, images));
  faulty = FORMER_FAULTS.map((fault) => sites[mutations.indexOf(fault)]?.door as Door);
});

afterAll(async () => {
  console.log(`rules taken away or widened, and what noticed:\n${caught.sort().join("\n")}`);
  await target?.destroy();
  await authelia?.stop();
});

test("the gateway gives what the model gives", () => new Sweep(target.gateway, images).everything());

test("each rule that is taken away or widened is noticed", { timeout: 1_200_000 }, async () => {
  const queue = mutations.map((mutation, index) => ({ mutation, sweep: sweeps[index] as Sweep }));
  const unnoticed: string[] = [];
  const worker = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const failure = await next.sweep.everything().catch((error: Error) => error);
      if (failure === undefined) unnoticed.push(next.mutation.rule);
      else caught.push(`${next.mutation.rule} | ${failure.message.slice(0, 140)}`);
    }
  };
  await Promise.all(Array.from({ length: 4 }, worker));
  expect(unnoticed).toEqual([]);
});

describe("what users send", () => {
  test(`${FUZZED} fuzzed requests read and change nothing that the rules do not allow`, async () => {
    const { registry } = await target.inside();
    const result = await fuzzRules(target, { gateway: target.gateway, registry }, 20_261_126, FUZZED);
    console.log(`fuzzed: ${JSON.stringify(result.statuses)}`);
    expect(result.violations).toEqual([]);
    // Some of them did something: else the test shows nothing.
    expect(result.statuses[200] ?? 0).toBeGreaterThan(FUZZED / 20);
    expect(result.changed.length).toBeGreaterThan(0);
  });

  test.each(
    FORMER_FAULTS.map(({ rule }, index) => [rule, index] as const),
  )("20,000 of them find the fault of an earlier version that broke: %s", async (rule, index) => {
    const { registry } = await target.inside();
    const doors = { gateway: faulty[index] as Door, registry };
    const { violations, sent } = await fuzzRules(target, doors, 20_261_130 + index, 20_000, true);
    console.log(`${rule}: found after ${sent} requests: ${violations[0]}`);
    expect(violations.length).toBeGreaterThan(0);
  });
});

test("a library that is broken into reads what anyone may pull", async () => {
  const [door] = await target.doorsFrom("registry-ui", [{ name: "library", host: "127.0.0.1", port: 80 }]);
  const sweep = new Sweep(door as NonNullable<typeof door>, images);
  const catalog = await sweep.ask(undefined, { method: "GET", target: "/v2/_catalog?n=1000" });
  const names = (JSON.parse(catalog.body) as { repositories: string[] }).repositories;
  // Others may have come up meanwhile.
  const known = REPOSITORIES.filter((name) => names.includes(name));
  expect(known).toEqual(REPOSITORIES.filter((name) => may(undefined, "pull", name)));
  const { manifestDigest } = images.get("team-a/app") as Image;
  for (const reference of ["latest", manifestDigest])
    expect(
      (await sweep.ask(undefined, { method: "GET", target: `/v2/team-a/app/manifests/${reference}` })).status,
    ).toBe(401);
});
