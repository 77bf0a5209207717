import { readFileSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import { parse } from "yaml";
import { ConfigError } from "../../src/config/configFindings.js";
import { loadConfig } from "../../src/config/load.js";
import { Secret } from "../../src/credentials/secret.js";
import { goNanoseconds } from "../../src/docker/goDuration.js";
import { verifyFrontDoor } from "../../src/frontDoor/frontDoor.js";
import { loadTemplates } from "../../src/render/templates.js";
import type { ComposeFile } from "../../src/services/composeModel.js";
import { gatewaySettings } from "../../src/services/gatewayConfig.js";
import { healthcheck, rollSeconds } from "../../src/services/parts.js";
import { traefikLabels } from "../../src/services/traefikLabels.js";
import { COMPOSE_FILE, renderFiles } from "../../src/stack.js";
import { waitForConvergence } from "../../src/swarm/stackUpdate.js";
import { FakeEngine } from "../support/fakeEngine.js";
import { shortPauses } from "../support/shortPauses.js";

/** The times of the config: probes, the watch over a new task, and the memory of passwords. */

const pauses: number[] = [];
shortPauses(async <T>(milliseconds = 0, value?: T) => {
  pauses.push(milliseconds);
  return value as T;
});

const templates = loadTemplates();

const load = (more = "") => loadConfig(`version: 1\ndomain: example.com\n${more}`, "hephaestus.yaml", {});
const config = (more = "") => load(more).config;

function findings(more: string): string[] {
  try {
    return load(more).warnings.map(({ path }) => `warning ${path}`);
  } catch (error) {
    return (error as ConfigError).findings.map(({ severity, path }) => `${severity} ${path}`);
  }
}

const secondsIn = (duration = "0s"): number => (goNanoseconds(duration) ?? Number.NaN) / 1e9;

const EVERY = Array.from({ length: 30 }, (_, index) => index + 1);
const probed = (seconds: number) => config(`swarm: { probe: ${seconds}s, monitor: ${seconds}s }\n`);

/**
 * When Docker Engine probes a task that refuses every probe at once, and when it gives it up. Source: moby, daemon/health.go:
 * within the start period no failure counts, and from Engine 25 on probes come at the start interval, 5 s.
 */
function lifeOfDeaf(seconds: number, isNew: boolean): { first: number; end: number } {
  const check = healthcheck(probed(seconds), "http://127.0.0.1/");
  const startPeriod = secondsIn(check.start_period);
  const pace = (now: number) => (isNew && now < startPeriod ? 5 : secondsIn(check.interval));
  const first = pace(0);
  let now = first;
  for (let failures = 0; ; now += pace(now)) {
    if (now >= startPeriod) failures++;
    if (failures === check.retries) return { first, end: now };
  }
}

describe("probes", () => {
  test.each([true, false])("leave a slow task 30 s at least (engine 25 or newer: %s)", (isNew) => {
    for (const seconds of EVERY)
      expect(lifeOfDeaf(seconds, isNew).end, `${seconds}s`).toBeGreaterThanOrEqual(30);
  });

  test.each([true, false])("find a new task as soon as they promise (engine 25 or newer: %s)", (isNew) => {
    for (const seconds of EVERY)
      expect(lifeOfDeaf(seconds, isNew).first, `${seconds}s`).toBeLessThanOrEqual(seconds);
  });

  test("are as often in every service, and each is watched as long", () => {
    const times = "swarm: { probe: 2s, monitor: 3s }\n";
    const more = `${times}registry: { delete: true }\nui: { admin: { enabled: true } }\nmetrics: { enabled: true, network: watch }\ngateway: { cache: 1G }\n`;
    const compose = renderFiles(config(more), templates, "hephaestus.yaml").find(
      ({ path }) => path === COMPOSE_FILE,
    );
    const services = Object.values((parse(compose?.text ?? "") as ComposeFile).services);
    expect(services.length).toBeGreaterThan(5);
    for (const service of services) {
      if (service.healthcheck) expect(service.healthcheck).toMatchObject({ interval: "2s", retries: 15 });
      expect(service.deploy.update_config.monitor).toBe("3s");
      expect(service.deploy.rollback_config.monitor).toBe("3s");
    }
  });

  test("are Traefik's too, where it asks the tasks itself", () => {
    const route = { name: "r", host: "h", port: 1, healthPath: "/" };
    for (const seconds of EVERY) {
      const times = `swarm: { endpointMode: dnsrr, probe: ${seconds}s, monitor: ${seconds}s }\n`;
      const labels = traefikLabels(config(times), route);
      const label = (name: string) => labels[`traefik.http.services.r.loadbalancer.healthcheck.${name}`];
      expect(label("interval")).toBe(`${seconds}s`);
      expect(secondsIn(label("timeout"))).toBeGreaterThan(0);
      expect(secondsIn(label("timeout"))).toBeLessThan(seconds);
    }
  });
});

/** Milliseconds between the two looks at a stack that has nothing to wait for. */
async function pauseOf(probe: string): Promise<number> {
  const docker = new FakeEngine().docker();
  const times = config(`swarm: { probe: ${probe}, monitor: 30s }\n`);
  const waiting = { only: new Set<string>(), goal: "forward", since: "", timeoutSeconds: 9 } as const;
  pauses.length = 0;
  const { state } = await waitForConvergence(docker, times, { ...waiting, onProgress: () => {} });
  expect([state, pauses.length]).toEqual(["converged", 1]);
  return pauses[0] ?? 0;
}

test("tasks that are probed often are looked at often, the others once a second", async () => {
  expect(await pauseOf("1s")).toBe(500);
  expect(await pauseOf("2s")).toBe(1000);
  expect(await pauseOf("5s")).toBe(1000);
  expect(await pauseOf("30s")).toBe(1000);
});

test("time limits of rollouts grow with the times and the number of tasks", () => {
  expect(rollSeconds(config(), 1)).toBe(120);
  expect(rollSeconds(config(), 3)).toBe(240);
  const slow = config("swarm: { probe: 30s, monitor: 120s }\n");
  for (const tasks of [1, 2, 10]) expect(rollSeconds(slow, tasks)).toBeGreaterThan(tasks * 150 + 60);
});

/** Seconds for which the front door is asked about logins that are not as they should be. */
async function patience(more: string): Promise<number> {
  pauses.length = 0;
  const started = Date.now();
  const now = () => started + pauses.reduce((sum, milliseconds) => sum + milliseconds, 0);
  const clock = vi.spyOn(Date, "now").mockImplementation(now);
  vi.stubGlobal("fetch", async () => new Response("", { status: 401 }));
  const login = { user: "smith", password: new Secret("anvil") };
  try {
    await verifyFrontDoor(config(more), { login }, 0);
  } finally {
    clock.mockRestore();
    vi.unstubAllGlobals();
  }
  return pauses.reduce((sum, milliseconds) => sum + milliseconds, 0) / 1000;
}

test("a login is asked about until what the gateway remembers is forgotten, and some seconds more", async () => {
  for (const [more, seconds] of [
    ["", 45],
    ["gateway: { remember: 2s }\n", 2],
    ["gateway: { remember: 300s }\n", 300],
  ] as const) {
    const asked = await patience(more);
    expect(asked).toBeGreaterThanOrEqual(seconds + 10);
    expect(asked).toBeLessThan(seconds + 15);
  }
});

describe("the config", () => {
  test.each([
    ["probe: 0s", "error swarm.probe"],
    ["probe: 31s", "error swarm.probe"],
    ["probe: 5", "error swarm.probe"],
    ["probe: 5m", "error swarm.probe"],
    ["probe: 1.5s", "error swarm.probe"],
    ["probe: '5s; x'", "error swarm.probe"],
    ["probe: 05s", "error swarm.probe"],
    ["monitor: 121s", "error swarm.monitor"],
    ["monitor: 4s", "error swarm.monitor"],
    ["probe: 6s", "error swarm.monitor"],
  ])("takes no swarm: { %s }", (line, finding) => {
    expect(findings(`swarm: { ${line} }\n`)).toEqual([finding]);
  });

  test.each(["0s", "301s", "45", "1h"])("takes no gateway.remember: %s", (time) => {
    expect(findings(`gateway: { remember: ${time} }\n`)).toEqual(["error gateway.remember"]);
  });

  test("says what is taken", () => {
    expect(() => load("swarm: { probe: 90s }\n")).toThrow(ConfigError);
    try {
      load("swarm: { probe: 90s }\n");
    } catch (error) {
      expect((error as ConfigError).findings[0]).toMatchObject({
        message: '"90s" is not a time of 1s to 30s',
        remedy: "Write whole seconds with an s behind them, from 1s to 30s.",
      });
    }
  });

  test.each([
    "swarm: { probe: 1s, monitor: 1s }",
    "swarm: { probe: 30s, monitor: 120s }",
    "gateway: { remember: 1s }",
  ])("takes %s", (line) => expect(findings(`${line}\n`)).toEqual([]));

  test("warns of a rollout that is given up before it can end", () => {
    const gateways = (count: number, times = "") => findings(`gateway: { replicas: ${count} }\n${times}`);
    expect(gateways(29)).toEqual([]);
    expect(gateways(30)).toEqual(["warning swarm.monitor"]);
    expect(gateways(30, "swarm: { probe: 2s, monitor: 2s }\n")).toEqual([]);
    expect(gateways(2, "swarm: { probe: 30s, monitor: 120s }\n")).toEqual(["warning swarm.monitor"]);
  });
});

describe("answers about passwords", () => {
  const remembered = (more = "") => JSON.parse(gatewaySettings(config(more))).limits.remember;

  test("are remembered for as long as the pages promise", () => {
    expect(remembered()).toBe(45);
    for (const page of ["security", "passwords", "access", "design"]) {
      const text = readFileSync(new URL(`../../docs/${page}.md`, import.meta.url), "utf8");
      expect(text, page).toMatch(/\b45 seconds/);
    }
  });

  test("are forgotten sooner or later, as the config says", () => {
    expect(remembered("gateway: { remember: 2s }\n")).toBe(2);
    expect(remembered("gateway: { remember: 300s }\n")).toBe(300);
  });
});
