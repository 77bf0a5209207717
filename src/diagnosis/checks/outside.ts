import { readCertificate } from "../../frontdoor/certificate.js";
import { readClock } from "../../frontdoor/clock.js";
import { lookUp } from "../../frontdoor/names.js";
import type { Check } from "../check.js";
import { judgeClock } from "../engine.js";
import { judgeCertificate, judgeFrontDoor, judgeNames } from "../frontDoor.js";
import { judgeNeighbours } from "../neighbours.js";
import { judgeTraefik, judgeUnreachable } from "../traefik.js";
import { judgeTraefikService } from "../traefikService.js";

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
  run: async ({ config, urls }) => {
    const findings = Object.values(urls).map(async (url) => {
      const certificate = url === undefined ? undefined : await readCertificate(url);
      return certificate
        ? judgeCertificate(new URL(url ?? "").hostname, certificate, new Date(), config.traefik.tls)
        : [];
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

const traefikService: Check = {
  id: "traefik-service",
  title: "provider, network and ports of Traefik's service",
  theme: "Traefik",
  needs: "manager",
  applies: ({ expose }) => expose === "traefik",
  run: async ({ config, swarm, allServices }) =>
    judgeTraefikService(config, (await swarm()).network?.id, await allServices()),
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

/** What people meet: names, certificates, answers, Traefik. */
export const OUTSIDE_CHECKS: readonly Check[] = [
  names,
  certificates,
  frontDoor,
  frontDoorClock,
  traefik,
  traefikService,
  neighbours,
];
