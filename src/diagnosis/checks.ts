import type { Config } from "../config/resolve.js";
import { readOnlyUntil } from "../deployment/maintenance.js";
import { readCertificate } from "../frontdoor/certificate.js";
import { readClock } from "../frontdoor/clock.js";
import { lookUp } from "../frontdoor/names.js";
import { readerOf } from "../host/files.js";
import { readRoom } from "../host/room.js";
import { compare } from "../render/compare.js";
import { secretsOf, serviceNames } from "../stack/model.js";
import { readStorage } from "../swarm/disk.js";
import { oldMarkers, unusedConfigs } from "../swarm/leftovers.js";
import { judgeSwarm } from "../swarm/preflight.js";
import { judgeConfig, judgeFiles } from "./configuration.js";
import { judgeAge, judgeHandOver, judgeRegistryEnvironment, judgeSecretUse } from "./credentials.js";
import { judgeDrift } from "./drift.js";
import { judgeClock, judgeSilence } from "./engine.js";
import type { Facts } from "./facts.js";
import type { Finding, Theme } from "./finding.js";
import { judgeCertificate, judgeFrontDoor, judgeNames } from "./frontDoor.js";
import { judgeConfigs, judgeHelpers, judgeLock, judgeReadOnly } from "./leftovers.js";
import { judgeDataRoot, judgeStorage } from "./room.js";
import { judgeServices } from "./services.js";
import { judgeNeighbours, judgeTraefik, judgeUnreachable } from "./traefik.js";

/** One thing that is looked at: gathers what it needs, and judges it. */
export interface Check {
  id: string;
  title: string;
  theme: Theme;
  /** What has to be there for it: an engine that answers, a manager, the front door (left out with --no-verify). */
  needs?: "engine" | "manager" | "front door";
  /** Whether there is anything to look at with this config; always, when left out. */
  applies?(config: Config): boolean;
  run(facts: Facts): Promise<Finding[]>;
  /** What it means that it could not be run; without it, that it could not. */
  failed?(cause: unknown, facts: Facts): Finding;
}

const swarm: Check = {
  id: "swarm",
  title: "engine, Swarm, network and nodes",
  theme: "Docker and Swarm",
  run: async ({ config, swarm }) => judgeSwarm(config, await swarm()),
  failed: judgeSilence,
};

const engineClock: Check = {
  id: "engine-clock",
  title: "clock of the engine",
  theme: "Docker and Swarm",
  needs: "engine",
  run: async ({ engine }) => judgeClock("clock-engine", "the Docker Engine", (await engine()).clock),
};

const engineDisk: Check = {
  id: "engine-disk",
  title: "disk of the engine",
  theme: "Docker and Swarm",
  needs: "engine",
  run: async ({ endpoint, engine }) => {
    if (!(await endpoint()).isLocal) return [];
    const { dataRoot } = await engine();
    const room = await readRoom(dataRoot);
    return room ? judgeDataRoot(dataRoot, room) : [];
  },
};

const config: Check = {
  id: "config",
  title: "warnings of the config",
  theme: "Config and files",
  run: async ({ warnings }) => judgeConfig(warnings),
};

const files: Check = {
  id: "files",
  title: "rendered files",
  theme: "Config and files",
  run: async ({ files, folder }) => judgeFiles(compare(files, readerOf(folder))),
};

const services: Check = {
  id: "services",
  title: "services, tasks and updates",
  theme: "Services",
  needs: "manager",
  run: async ({ config, services, engine }) =>
    judgeServices(config.stack, serviceNames(config), await services(), (await engine()).clock.there),
};

const drift: Check = {
  id: "drift",
  title: "settings of the services",
  theme: "Services",
  needs: "manager",
  run: async ({ config, differences, isLocked }) =>
    (await isLocked()) ? [] : judgeDrift(config.stack, await differences()),
};

const secretUse: Check = {
  id: "secrets",
  title: "secrets of the services",
  theme: "Passwords and access",
  needs: "manager",
  run: async ({ config, bareServices, secretReports, isLocked }) =>
    // Somebody who rotates has two generations for a while.
    (await isLocked())
      ? []
      : judgeSecretUse(config.stack, secretsOf(config), await bareServices(), await secretReports()),
};

const handOver: Check = {
  id: "hand-over",
  title: "passwords that nobody knows",
  theme: "Passwords and access",
  needs: "manager",
  run: async ({ htpasswd, handedOver, isLocked }) =>
    (await isLocked()) ? [] : judgeHandOver(await htpasswd(), await handedOver()),
};

const ages: Check = {
  id: "ages",
  title: "ages of passwords",
  theme: "Passwords and access",
  needs: "manager",
  applies: ({ credentials }) => credentials.maxAge !== undefined,
  run: async ({ config, htpasswd }) => judgeAge(config.credentials.maxAge, await htpasswd(), new Date()),
};

const authentication: Check = {
  id: "authentication",
  title: "authentication of the registry",
  theme: "Passwords and access",
  needs: "manager",
  run: async ({ service }) => judgeRegistryEnvironment(await service("registry")),
};

const names: Check = {
  id: "names",
  title: "DNS",
  theme: "Front door",
  needs: "front door",
  run: async ({ urls }) => {
    const hosts = Object.values(urls).flatMap((url) => (url === undefined ? [] : [new URL(url).hostname]));
    return judgeNames(await Promise.all([...new Set(hosts)].map(lookUp)));
  },
};

const certificates: Check = {
  id: "certificates",
  title: "certificates",
  theme: "Front door",
  needs: "front door",
  applies: ({ expose }) => expose === "traefik",
  run: async ({ urls }) => {
    const findings = Object.values(urls).map(async (url) => {
      const certificate = url === undefined ? undefined : await readCertificate(url);
      return certificate ? judgeCertificate(new URL(url ?? "").hostname, certificate, new Date()) : [];
    });
    return (await Promise.all(findings)).flat();
  },
};

const frontDoor: Check = {
  id: "front-door",
  title: "answers at the front door",
  theme: "Front door",
  needs: "front door",
  run: async ({ config, frontDoor }) => judgeFrontDoor(config, await frontDoor()),
};

const frontDoorClock: Check = {
  id: "front-door-clock",
  title: "clock of the front door",
  theme: "Front door",
  needs: "front door",
  run: async ({ urls }) => {
    const reading = await readClock(`${urls.registry}/v2/`);
    return reading ? judgeClock("clock-front-door", "the front door", reading) : [];
  },
};

const traefik: Check = {
  id: "traefik",
  title: "routers, middlewares and entrypoint of Traefik",
  theme: "Traefik",
  applies: ({ expose, traefik }) => expose === "traefik" && traefik.api !== undefined,
  run: async ({ config, traefik }) => judgeTraefik(config, await traefik()),
  failed: (cause, { config }) => judgeUnreachable(config.traefik.api, cause),
};

const neighbours: Check = {
  id: "neighbours",
  title: "other services on Traefik's network",
  theme: "Traefik",
  needs: "manager",
  applies: ({ expose }) => expose === "traefik",
  run: async ({ config, swarm, allServices }) =>
    judgeNeighbours(config, (await swarm()).network?.id, await allServices()),
};

const storage: Check = {
  id: "storage",
  title: "storage",
  theme: "Storage",
  needs: "manager",
  run: async ({ config, docker, services }) => {
    const { storage, user } = config.registry;
    const registry = (await services()).find(
      ({ service }) => service.Spec.Name === `${config.stack}_registry`,
    );
    const seen = await readStorage(docker, config.stack);
    return judgeStorage(storage.path, user, seen, registry?.tasks ?? []);
  },
};

const lock: Check = {
  id: "lock",
  title: "lock",
  theme: "Leftovers",
  needs: "manager",
  run: async ({ config, lock }) => {
    const { holder, stale } = await lock();
    return judgeLock(config.stack, holder, stale);
  },
};

const readOnly: Check = {
  id: "read-only",
  title: "maintenance",
  theme: "Leftovers",
  needs: "manager",
  run: async ({ config, bareServices, isLocked }) =>
    judgeReadOnly(readOnlyUntil(await bareServices(), config.stack), await isLocked(), new Date()),
};

const helpers: Check = {
  id: "helpers",
  title: "helper services",
  theme: "Leftovers",
  needs: "manager",
  run: async ({ helpers, isLocked }) => ((await isLocked()) ? [] : judgeHelpers(await helpers())),
};

const configs: Check = {
  id: "configs",
  title: "old configs",
  theme: "Leftovers",
  needs: "manager",
  run: async ({ config, docker, bareServices, secrets, isLocked }) => {
    if (await isLocked()) return [];
    const generations = (await secrets()).map(({ generation }) => generation);
    return judgeConfigs([
      ...(await unusedConfigs(docker, config.stack, await bareServices())),
      ...(await oldMarkers(docker, config.stack, generations)),
    ]);
  },
};

/** All that doctor looks at. */
export const CHECKS: readonly Check[] = [
  swarm,
  engineClock,
  engineDisk,
  config,
  files,
  services,
  drift,
  secretUse,
  handOver,
  ages,
  authentication,
  names,
  certificates,
  frontDoor,
  frontDoorClock,
  traefik,
  neighbours,
  storage,
  lock,
  readOnly,
  helpers,
  configs,
];
