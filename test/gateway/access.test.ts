/**
 * Rules for repositories: the running gateway is compared with a model of the rules; each rule that is taken away or widened
 * is noticed; and fuzzed requests of several users read and change nothing that the rules do not allow.
 */
import { readFile } from "node:fs/promises";
import bcrypt from "bcryptjs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tokensOf } from "../../src/services/gateway/program/tokens.js";
import { type Image, pushImage, putManifest } from "../e2e/attacks/image.js";
import { basic, type Door } from "../e2e/attacks/raw.js";
import { Authelia } from "../support/authelia.js";
import { basicValue } from "../support/basic.js";
import { FUZZED, type Fuzzed, fuzzRules } from "./access/fuzz.js";
import { PEOPLE, REPOSITORIES, RULES } from "./access/model.js";
import { accessMutations, FOUND_BY_FUZZING } from "./access/mutations.js";
import { Difference, PASSWORD, SWEPT, Sweep } from "./access/sweep.js";
import { gatewayFiles, startGateways } from "./gateways.js";
import { freePorts, HOST, PlainStack } from "./plainStack.js";

/** Another one sends other requests: HEPHAESTUS_SEED=1 npm run test:gateway */
const SEED = Number(process.env.HEPHAESTUS_SEED ?? 3);
const USERS = ["ann", "bob", "ci", "anna"];
const TODAY = new Date().toISOString().slice(0, 10);
const HTPASSWD = [
  "# until old 20251231\n",
  `# until today ${TODAY.replaceAll("-", "")}\n`,
  "# until ci 20991231\n",
  ...[...USERS, "old", "today"].map((user) => `${user}:${bcrypt.hashSync(PASSWORD, 4)}\n`),
].join("");
let authelia: Authelia;
let stack: PlainStack;
let gateway: Door;
let fuzzed: Fuzzed;
const images = new Map<string, Image>();
const mutations: { mutation: ReturnType<typeof accessMutations>[number]; door: Door }[] = [];
const caught: string[] = [];

beforeAll(async () => {
  const people = Object.entries(PEOPLE).map(([name, groups]) => [name, { password: PASSWORD, groups }]);
  const [port = 0] = await freePorts(1);
  authelia = new Authelia(HOST, port, "localhost", Object.fromEntries(people));
  await authelia.start();
  const root = { ...RULES, users: { provider: "both" }, authelia: { url: authelia.url } };
  stack = await PlainStack.start(
    { ...root, registry: { delete: true }, gateway: { cache: "100M" } },
    HTPASSWD,
  );
  for (const repository of REPOSITORIES)
    images.set(repository, await pushImage(stack.registry, basic("ann", PASSWORD), repository, "latest"));
  // The content of one that is immutable.
  const app = images.get("team-a/app") as Image;
  await putManifest(stack.registry, basic("ann", PASSWORD), app, "v1");
  const files = gatewayFiles(stack);
  const all = accessMutations(files.settings);
  const [whole, ...broken] = await startGateways(
    stack,
    [{ ...files }, ...all.map(({ change }) => change(files))].map((one) => ({ ...one, around: "stack" })),
    app,
  );
  gateway = whole?.door as Door;
  const httpSecret = await readFile(`${stack.folder}/secrets/http-secret`, "utf8");
  fuzzed = {
    storage: stack.storage,
    gateway,
    registry: stack.registry,
    inside: (files.config.match(/(?<=\blocation .*)\b[a-z]{3,}\b/g) ?? []).map((word) => `/${word}`),
    untimely: (user) => {
      const checked = Date.now() + (Math.random() < 0.5 ? -66_000 : 35_000);
      return tokensOf(httpSecret, 60, Date.now).sign({ user, groups: ["crew"], checked });
    },
    secrets: [
      stack.machineAuthorization.replace(/^\w+ /, ""),
      httpSecret.replace(/^.*: /, "").trim(),
      ...[...USERS, ...Object.keys(PEOPLE)].map((user) => basicValue(user, PASSWORD).replace(/^\w+ /, "")),
    ],
  };
  for (const [index, mutation] of all.entries())
    mutations.push({ mutation, door: broken[index]?.door as Door });
});

afterAll(async () => {
  console.log(`rules taken away or widened, and what noticed:\n${caught.sort().join("\n")}`);
  await stack?.stop();
  await authelia?.stop();
});

test("the gateway gives what the model gives", () => new Sweep(gateway, images).everything(SWEPT));

test("each rule that is taken away or widened is noticed by the part of the sweep that is about it", async () => {
  const queue = [...mutations];
  const unnoticed: string[] = [];
  const worker = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const { rule, noticedBy } = next.mutation;
      if (noticedBy === "fuzzing") continue;
      const sweep = new Sweep(next.door, images);
      const asked = typeof noticedBy === "string" ? sweep[noticedBy]() : sweep.rights(noticedBy);
      const failure = await asked.catch((error: Error) => error);
      if (failure instanceof Difference) caught.push(`${rule} | ${failure.message.slice(0, 140)}`);
      else unnoticed.push(`${rule}: ${failure?.message ?? "as the model"}`);
    }
  };
  await Promise.all(Array.from({ length: 4 }, worker));
  expect(unnoticed).toEqual([]);
});

describe("what users send", () => {
  const timeout = 300_000 + 30 * FUZZED;
  test(`${FUZZED} fuzzed requests read and change nothing that the rules do not allow`, {
    timeout,
  }, async () => {
    const result = await fuzzRules(fuzzed, SEED, FUZZED);
    console.log(`fuzzed: ${JSON.stringify(result.statuses)}`);
    expect(result.violations).toEqual([]);
    expect(result.faults).toEqual([]);
    // Some of them did something: else the test shows nothing.
    expect(result.statuses[200] ?? 0).toBeGreaterThan(FUZZED / 20);
    expect(result.changed.length).toBeGreaterThan(0);
  });

  test.each(FOUND_BY_FUZZING)("they find what breaks this: %s", async (rule, fuzzer) => {
    const door = mutations.find(({ mutation }) => mutation.rule === rule)?.door as Door;
    const violations: string[] = [];
    let sent = 0;
    for (let round = 1; violations.length === 0 && sent < 20_000; round++) {
      const result = await fuzzRules({ ...fuzzed, gateway: door }, SEED + round, 1000, { fuzzer });
      violations.push(...result.violations);
      sent += result.sent;
    }
    console.log(`${rule}: found after ${sent} requests: ${violations[0]}`);
    expect(violations.length).toBeGreaterThan(0);
  });
});
