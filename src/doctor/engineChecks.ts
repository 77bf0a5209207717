import { OperatorError } from "../errors.js";
import { readRoom } from "../host/freeSpace.js";
import type { FindingCode } from "../operation/findingCodes.js";
import { judgeSwarm } from "../operation/swarmFacts.js";
import type { Check } from "./check.js";
import type { ClockReading } from "./clock.js";
import { error, type Finding, warning } from "./finding.js";
import { judgeDataRoot } from "./storageChecks.js";

/** Tokens, certificates and locks go by the clock; less than this hurts none of them. */
const MOST_SECONDS_APART = 30;

/** The finding for an engine that does not answer. */
function judgeSilence(cause: unknown): Finding {
  const { where, message, remedy } =
    cause instanceof OperatorError ? cause : { where: "docker", message: String(cause), remedy: undefined };
  return error(
    "docker-silent",
    "Docker does not answer, so the services, secrets and storage could not be checked",
    `${where ?? "docker"}: ${message}`,
    remedy ?? "See that `docker version` works in this shell.",
  );
}

/** Whether another clock differs from this machine's. */
export function judgeClock(id: FindingCode, whose: string, { there, here }: ClockReading): Finding[] {
  const apart = Math.round((there.getTime() - here.getTime()) / 1000);
  if (Number.isNaN(apart) || Math.abs(apart) <= MOST_SECONDS_APART) return [];
  return [
    warning(
      id,
      `the clock of ${whose} is ${Math.abs(apart)} seconds ${apart > 0 ? "ahead of" : "behind"} this machine's`,
      `${there.toISOString()} there, ${here.toISOString()} here`,
      "Synchronise both clocks with NTP (timedatectl set-ntp true).",
    ),
  ];
}

export const swarmCheck: Check = {
  id: "swarm",
  title: "engine, Swarm, network and nodes",
  theme: "Docker and Swarm",
  run: async ({ config, swarm }) => judgeSwarm(config, await swarm()),
  failed: judgeSilence,
};

export const engineClockCheck: Check = {
  id: "engine-clock",
  title: "clock of the engine",
  theme: "Docker and Swarm",
  needs: "engine",
  run: async ({ engine }) => judgeClock("clock-engine", "the Docker Engine", (await engine()).clock),
};

export const engineDiskCheck: Check = {
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
