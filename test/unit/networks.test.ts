import { networkInterfaces } from "node:os";
import { describe, expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import { judgeInternalNetwork, judgeMtu, judgeNetworks } from "../../src/doctor/networkChecks.js";
import { interfaceOf } from "../../src/host/interfaces.js";
import { mtuOf, readNetwork } from "../../src/swarm/internalNetwork.js";
import { FakeEngine } from "../support/fakeEngine.js";
import { swarmFacts } from "./swarmObjects.js";

const load = (text: string) => loadConfig(`domain: a.example\nstack: forge\n${text}`, "f", {}).config;
const network = (options: Record<string, string> = {}) => ({
  id: "net2",
  scope: "swarm",
  driver: "overlay",
  options: { "com.docker.network.driver.overlay.vxlanid_list": "4097", ...options },
});
const MTU = "com.docker.network.driver.mtu";

describe("a network that exists is never changed by a deploy", () => {
  test.each<[string, string, Record<string, string>]>([
    ["without options", "", {}],
    ["with the MTU of the config", "networks: { mtu: 1420 }", { [MTU]: "1420" }],
    ["encrypted, as the CLI or compose writes it", "networks: { encrypted: true }", { encrypted: "" }],
  ])("so one %s is sound", (_name, text, options) => {
    expect(judgeInternalNetwork(load(text), network(options))).toEqual([]);
  });

  test("and one that is not there yet", () => {
    expect(judgeInternalNetwork(load("networks: { mtu: 1420 }"), undefined)).toEqual([]);
  });

  test.each<[string, string, Record<string, string>, RegExp]>([
    ["has no MTU", "networks: { mtu: 1420 }", {}, /MTU 1500 \(Docker's default\).*config.*MTU 1420/],
    ["has another MTU", "networks: { mtu: 1420 }", { [MTU]: "1450" }, /MTU 1450.*MTU 1420/],
    ["has an MTU that was taken out", "", { [MTU]: "1450" }, /MTU 1450.*MTU 1500/],
    ["is not encrypted", "networks: { encrypted: true }", {}, /not encrypted.*encrypted/],
    ["is encrypted", "", { encrypted: "true" }, /encrypted.*not encrypted/],
  ])("so one that %s is told, with the way there", (_name, text, options, words) => {
    const [finding, ...others] = judgeInternalNetwork(load(text), network(options));
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ code: "network-options-differ", severity: "warning" });
    expect(finding?.message).toMatch(words);
    expect(finding?.message).toContain("forge_internal");
    expect(finding?.remedy).toMatch(/docker stack rm forge.*hephaestus deploy/);
  });

  test("preflight and doctor tell it among the others", () => {
    const facts = swarmFacts({ network: network(), internal: network() });
    expect(judgeNetworks(load("networks: { mtu: 1420 }"), facts).map(({ code }) => code)).toEqual([
      "network-options-differ",
    ]);
    expect(judgeNetworks(load(""), facts)).toEqual([]);
  });

  test("it is asked for by its name, and what is not there is none", async () => {
    const overlay = { Scope: "swarm", Driver: "overlay" };
    const engine = new FakeEngine({
      networks: [
        { Id: "net2", Name: "forge_internal", ...overlay, Options: { [MTU]: "1420" } },
        { Id: "a", Name: "x", ...overlay, Options: null },
      ],
    });
    const read = (name: string) => readNetwork(engine.docker(), name);
    const found = await read("forge_internal");
    expect(found).toEqual({ id: "net2", scope: "swarm", driver: "overlay", options: { [MTU]: "1420" } });
    expect(mtuOf(found)).toBe(1420);
    expect(await read("forge")).toBeUndefined();
    expect(mtuOf(await read("x"))).toBe(1500);
    engine.silent = true;
    await expect(read("x")).rejects.toThrow("no answer");
  });
});

describe("the MTU of the nodes", () => {
  const config = load("");
  const wireguard = { name: "wg0", address: "10.9.0.1", mtu: 1420 };
  const judge = (changes: Partial<Parameters<typeof judgeMtu>[1]>, of = config) =>
    judgeMtu(of, { internal: network(), network: network(), link: wireguard, nodes: 2, ...changes });

  test("that is smaller than a network's is found for each network", () => {
    const findings = judge({});
    expect(findings.map(({ severity, code }) => `${severity} ${code}`)).toEqual([
      "warning mtu-too-large",
      "warning mtu-too-large",
    ]);
    expect(findings[0]?.evidence).toMatch(/wg0 \(10\.9\.0\.1\).*1420.*other nodes/);
    expect(findings[0]?.remedy).toContain("networks.mtu: 1420");
    expect(findings[1]?.message).toContain("aether-net");
    expect(findings[1]?.remedy).toContain("--opt com.docker.network.driver.mtu=1420");
  });

  test.each<[string, Parameters<typeof judge>[0]]>([
    ["networks that fit", { internal: network({ [MTU]: "1420" }), network: network({ [MTU]: "1400" }) }],
    ["a larger interface", { link: { ...wireguard, mtu: 9000 } }],
    ["an interface that cannot be seen", { link: undefined }],
    ["a single node, which sends nothing to others", { nodes: 1 }],
    ["no networks yet", { internal: undefined, network: undefined }],
  ])("is no fault with %s", (_name, changes) => expect(judge(changes)).toEqual([]));

  test("that the config already has is left to the network that differs from it", () => {
    const ids = judge({}, load("networks: { mtu: 1400 }")).map(({ message }) => message);
    expect(ids).toEqual([expect.stringContaining("aether-net")]);
  });

  test("is read from the interface that has the node's address", async () => {
    const loopback = Object.entries(networkInterfaces()).find(([, addresses]) =>
      addresses?.some(({ address }) => address === "127.0.0.1"),
    )?.[0];
    expect(await interfaceOf("127.0.0.1")).toEqual({
      name: loopback,
      address: "127.0.0.1",
      mtu: expect.any(Number),
    });
    expect(await interfaceOf("203.0.113.9")).toBeUndefined();
  });
});
