import { readerOf } from "../../host/files.js";
import { interfaceOf } from "../../host/interfaces.js";
import { readRoom } from "../../host/room.js";
import { compare } from "../../render/compare.js";
import { judgeSwarm } from "../../swarm/preflight.js";
import type { Check } from "../check.js";
import { judgeConfig, judgeFiles } from "../configuration.js";
import { judgeClock, judgeSilence } from "../engine.js";
import { judgeMtu } from "../mtu.js";
import { judgeDataRoot } from "../room.js";

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

const mtu: Check = {
  id: "mtu",
  title: "MTU between the nodes",
  theme: "Docker and Swarm",
  needs: "manager",
  run: async ({ config, endpoint, swarm }) => {
    if (!(await endpoint()).isLocal) return [];
    const { internal, network, nodeAddress, nodes } = await swarm();
    const link = nodeAddress ? await interfaceOf(nodeAddress) : undefined;
    return judgeMtu(config, { internal, edge: network, link, nodes: nodes.length });
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

/** Where the stack lives, and what it is made from. */
export const SURROUNDINGS_CHECKS: readonly Check[] = [swarm, engineClock, engineDisk, mtu, config, files];
