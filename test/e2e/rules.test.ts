/**
 * Each rule of the gateway has a test that fails without it: the rendered config with the rule taken away, a gateway with
 * that config, and the probe that must notice. The same probes hold for the config as it is.
 */
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CHECK_LIMITS } from "../../src/stack/gatewayService.js";
import * as access from "./attacks/accessProbes.js";
import * as edge from "./attacks/edgeProbes.js";
import { GENERAL_RULES } from "./attacks/generalRules.js";
import type { Image } from "./attacks/image.js";
import { LOCATION_RULES } from "./attacks/locationRules.js";
import type { Surroundings } from "./attacks/mutation.js";
import { ask, type Door } from "./attacks/raw.js";
import { writes } from "./attacks/shapes.js";
import { type Probe, RIGHT, type Site } from "./attacks/site.js";
import { startGateways, startUi } from "./attacks/standIns.js";
import { Target } from "./attacks/target.js";
import { useSwarm } from "./swarm.js";

const swarm = useSwarm();
const nameOf = (probe: Probe): string => probe.name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

/** The probes for each of the surroundings; the last ones use up the guesses of their address. */
const PROBES: [Surroundings, Probe[]][] = [
  ["stack", [...Object.values(access), edge.addressesAreOfTheConfiguredHost, edge.largeBodiesStreamThrough]],
  ["stack", [edge.theLogHoldsNoCredentialAndNoQuery, edge.guessesAreLimitedAndNobodyElseIs]],
  ["stack", [edge.theSameWrongPasswordIsOneGuess, edge.aRefusalNeedsNoCheck]],
  ["forgetful", [edge.whoWasRightBeforeWaitsForNobody]],
  ["forgetful", [edge.aWrongPasswordIsNeverKnown]],
  ["mirror", [edge.theRegistryHearsTheGatewayAlone]],
  ["nothing", [edge.aMissingRegistryIsSaidToBeMissing]],
  ["proxy", [edge.guessesOfEverybodyAreLimited]],
  ["proxy", [edge.oneAddressIsNotRefusedForAnother]],
  ["proxy", [edge.aNetworkOfIpv6CountsAsOneAddress]],
  ["proxy", [edge.whoComesBackAfterARollIsCheckedAtOnce]],
  ["stack", [edge.guessesInAnyFormAreCounted]],
  ["narrow", [edge.oneNetworkDoesNotTakeAllPlaces]],
];
const MUTATIONS = [...GENERAL_RULES, ...LOCATION_RULES];
let target: Target;
let image: Image;
let unbroken: Site[];
let broken: Site[];
const caught: string[] = [];

beforeAll(async () => {
  target = await Target.deploy("rules", [5000, 8080], swarm, { registry: { delete: true } });
  image = await target.pushImage("tools/hello");
  const rendered = await readFile(`${target.workspace.folder}/gateway/nginx.conf`, "utf8");
  // Each probe guesses until it is refused. At the rate of the stack most of the time would be waiting.
  const { checksPerMinute, swiftPerSecond, wrongPerMinute } = CHECK_LIMITS;
  const config = rendered
    .replace(`zone=pace:1m rate=${checksPerMinute}r/m`, "zone=pace:1m rate=80r/m")
    .replace(`zone=swift:1m rate=${swiftPerSecond}r/s`, "zone=swift:1m rate=20r/s")
    .replace(`zone=wrong:4m rate=${wrongPerMinute}r/m`, "zone=wrong:4m rate=20r/m");
  expect(config.match(/rate=(?:80|20)r/g)).toHaveLength(3);
  const sites = await startGateways(
    target,
    [
      ...PROBES.map(([around]) => ({ config, around })),
      ...MUTATIONS.map(({ change, around }) => ({ config: change(config), around })),
    ],
    image,
  );
  unbroken = sites.slice(0, PROBES.length);
  broken = sites.slice(PROBES.length);
});

afterAll(async () => {
  console.log(`rules taken away, and what noticed:\n${caught.sort().join("\n")}`);
  await target.destroy();
});

describe("at the gateway as it is it holds that", () => {
  test.each(
    PROBES.flatMap(([, probes], index) => probes.map((probe) => [nameOf(probe), index, probe] as const)),
  )("%s", (_, index, probe) => probe(unbroken[index] as Site));
});

describe.concurrent("it is noticed when a rule is gone:", () => {
  test.each(
    MUTATIONS.map((mutation, index) => [mutation.rule, index, mutation.probe] as const),
  )("%s", async (rule, index, probe) => {
    const failure = await probe(broken[index] as Site).catch((error: Error) => error);
    expect(failure, `nothing noticed that the rule is gone: ${rule}`).toBeInstanceOf(Error);
    const [reason = ""] = String((failure as Error).message).split("\n");
    caught.push(`${rule} | ${nameOf(probe)} | ${reason}`);
  });
});

describe("at the UI", () => {
  const writing = async (door: Door): Promise<(number | undefined)[]> => {
    const statuses: (number | undefined)[] = [];
    for (const { method, target: path, headers, body } of writes(image))
      for (const credential of [[], [RIGHT]])
        statuses.push((await ask(door, method, path, [...headers, ...credential], body)).status);
    return statuses;
  };
  let methods: string;

  beforeAll(async () => {
    methods = await readFile(`${target.workspace.folder}/registry-ui/methods.conf`, "utf8");
  });

  test("as it is nobody writes", async () => {
    expect(new Set(await writing(await startUi(target, 5980, methods)))).toEqual(new Set([401]));
  });

  test.each([
    ["without the file of methods", (): string | undefined => undefined],
    [
      "with another method",
      (): string | undefined => methods.replace("OPTIONS off;", "OPTIONS off; DELETE off;"),
    ],
    [
      "without the password that nobody has",
      (): string | undefined => methods.replace("auth_basic  ", "# auth_basic  "),
    ],
  ] as const)("%s somebody would", async (name, change) => {
    const statuses = await writing(await startUi(target, 5981 + caught.length, change()));
    expect(statuses.filter((status) => status !== 401).length).toBeGreaterThan(0);
    caught.push(`UI ${name} | nobody writes | answered ${[...new Set(statuses)]}`);
  });
});
