/**
 * Each rule of the gateway has a test that fails without it: the rendered config with the rule taken away, a gateway with
 * that config, and the probe that must notice. The same probes hold for the config as it is.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TURNS } from "../../src/services/gatewayLimits.js";
import { pushImage } from "../e2e/attacks/image.js";
import { type Endpoint, request, talk } from "../e2e/attacks/raw.js";
import { CREDENTIALS } from "../e2e/stack.js";
import * as access from "./attacks/accessProbes.js";
import * as edge from "./attacks/edgeProbes.js";
import { RULES } from "./attacks/generalRules.js";
import * as guess from "./attacks/guessProbes.js";
import type { Surroundings } from "./attacks/mutation.js";
import { type Probe, RIGHT, type Site } from "./attacks/site.js";
import { changed, gatewayFiles, startGateways } from "./gateways.js";
import { PlainStack } from "./plainStack.js";

const nameOf = (probe: Probe): string => probe.name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

/** The probes for each of the surroundings; the last ones use up the guesses of their address. */
const PROBES: [Surroundings, Probe[]][] = [
  ["stack", [...Object.values(access), edge.addressesAreOfTheConfiguredHost, edge.largeBodiesStreamThrough]],
  ["stack", [edge.theLogHoldsNoCredentialAndNoQuery, guess.guessesAreLimitedAndNobodyElseIs]],
  ["held", [guess.theSameWrongPasswordIsOneGuess]],
  ["stack", [guess.aRefusalNeedsNoCheck]],
  ["forgetful", [guess.whoWasRightBeforeWaitsForNobody]],
  ["forgetful", [guess.aWrongPasswordIsNeverKnown]],
  ["forgetful", [edge.aTokenEnds]],
  ["mirror", [edge.theRegistryHearsTheGatewayAlone]],
  ["nothing", [edge.aMissingRegistryIsSaidToBeMissing]],
  ["held", [guess.guessesOfEverybodyAreLimited]],
  ["proxy", [guess.oneAddressIsNotRefusedForAnother]],
  ["proxy", [guess.aNetworkOfIpv6CountsAsOneAddress]],
  ["proxy", [guess.whoForgesAnAddressKeepsOutNewLoginsAlone]],
  ["held", [guess.whoComesBackAfterARollIsCheckedAtOnce]],
  ["stack", [guess.guessesInAnyFormAreCounted]],
  ["held", [guess.whoWaitsForATurnIsLookedAtAgain]],
  ["checks", [edge.aCheckSaysTheCredentialAlone]],
  ["narrow", [edge.oneNetworkDoesNotTakeAllPlaces]],
  ["stack", [edge.unreadBodiesAreFew]],
];
let stack: PlainStack;
let unbroken: Site[];
let broken: Site[];
/** One that keeps idle connections for 8 seconds. */
let brief: Site;
const caught: string[] = [];

beforeAll(async () => {
  stack = await PlainStack.start({ registry: { delete: true } }, CREDENTIALS.REGISTRY_HTPASSWD);
  const image = await pushImage(stack.registry, RIGHT, "tools/hello", "latest");
  // Each probe guesses until it is refused. At the rate of the stack most of the time would be waiting.
  const files = [
    changed("config", `zone=pace:1m rate=${TURNS.checksPerMinute}r/m`, "zone=pace:1m rate=80r/m"),
    changed("settings", /(?<="wrongPerMinute": )\d+/, "20"),
  ].reduce((whole, change) => change(whole), gatewayFiles(stack));
  const sites = await startGateways(
    stack,
    [
      ...PROBES.map(([around]) => ({ ...files, around })),
      ...RULES.map(({ change, around }) => ({ ...change(files), around })),
      { ...changed("config", /keepalive_timeout \d+s;/, "keepalive_timeout 8s;")(files), around: "stack" },
    ],
    image,
  );
  unbroken = sites.slice(0, PROBES.length);
  broken = sites.slice(PROBES.length, -1);
  brief = sites.at(-1) as Site;
});

afterAll(async () => {
  console.log(`rules taken away, and what noticed:\n${caught.sort().join("\n")}`);
  await stack?.stop();
});

// The probes of one gateway run one after the other, the gateways at once.
describe.concurrent("at the gateway as it is it holds that", () => {
  describe.concurrent.each(
    PROBES.map(([around, probes], index) => ({ around, probes, index })),
  )("with $around around it:", ({ probes, index }) => {
    test.sequential.each(probes.map((probe) => [nameOf(probe), probe] as const))("%s", (_, probe) =>
      probe(unbroken[index] as Site));
  });
});

/** Two requests on one connection with a pause between them, as a proxy sends that keeps idle connections. */
async function reuseAfter(endpoint: Endpoint, seconds: number): Promise<number[]> {
  const get = (last: boolean) =>
    request(endpoint, "GET", "/v2/tools/hello/tags/list", last ? [] : ["Connection: keep-alive"]);
  const settings = {
    silenceMs: (seconds + 10) * 1000,
    later: [{ afterMs: seconds * 1000, bytes: get(true) }],
  };
  return (await talk(endpoint, get(false), settings)).statuses;
}

test.concurrent("a connection is kept for longer than Traefik keeps it, 90 seconds: one line says for how long", async () => {
  const statuses = await Promise.all([3, 14].map((seconds) => reuseAfter(brief.endpoint, seconds)));
  expect(statuses).toEqual([[200, 200], [200]]);
  const lines = stack.file("gateway/nginx.conf").match(/(?<=keepalive_timeout )\d+(?=s;)/g);
  expect(lines).toHaveLength(1);
  expect(Number(lines?.[0])).toBeGreaterThan(90);
});

describe.concurrent("it is noticed when a rule is gone:", () => {
  test.each(
    RULES.map((mutation, index) => [mutation.rule, index, mutation.probe] as const),
  )("%s", async (rule, index, probe) => {
    const failure = await probe(broken[index] as Site).catch((error: Error) => error);
    // A probe that fails for another reason, such as a request without an answer, has noticed nothing.
    const { name, message } = failure ?? { name: "nothing", message: "the probe holds" };
    expect(name, `${rule}: ${message}`).toBe("AssertionError");
    const [reason = ""] = message.split("\n");
    caught.push(`${rule} | ${nameOf(probe)} | ${reason}`);
  });
});
