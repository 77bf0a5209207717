import { type Config, compareVersions, isSharedStorage, storagePlace } from "../config/resolve.js";
import { error, errorOrWarning, type Finding, findingKinds, warning } from "../finding.js";
import { type Disk, readRoom } from "../host/freeSpace.js";
import { fittingNodes, type SwarmFacts } from "../swarm/swarmFacts.js";
import type { Checks } from "./check.js";
import { type ClockReading, judgeClock } from "./clock.js";
import { evidenceOf } from "./examine.js";
import { type Limits, roomLeft } from "./room.js";

const kinds = findingKinds("Docker and Swarm", {
  "client-too-old": error(
    "Docker's command line {version} is too old",
    "Install Docker's command line {needed} or newer, and see that `docker --version` in this shell shows it.",
  ),
  "engine-too-old": error("Docker Engine {version} is too old", "Use Docker Engine 20.10 or newer."),
  "docker-silent": error("Docker does not answer, so most things could not be checked", "{advice}", {
    remedy: "See that `docker version` works in this shell.",
  }),
  "no-swarm": error("this Docker Engine is not part of a Swarm", "Start one with: docker swarm init"),
  "no-manager": error(
    "this node is a worker of its Swarm",
    "Run this on a manager, or name one with --context or DOCKER_HOST.",
  ),
  "no-node-fits": error(
    "no ready node fits {constraints}",
    "Change registry.placement.constraints, or give a node the label with: docker node update --label-add",
  ),
  "several-nodes-fit": error(
    "{count} nodes fit the registry, but {storage} is on one node",
    'Name the node: registry.placement.constraints: ["node.hostname == {node}"]. If all of them share that folder (NFS), set registry.storage.shared: true. Or keep the images in a bucket: registry.storage.driver: s3.',
  ),
  "no-ipvs": error(
    "this kernel has no IPVS, so virtual IPs of services never answer",
    "Set swarm.endpointMode: dnsrr, or load the module with: modprobe ip_vs",
  ),
  "clock-engine": warning(
    "the clock of the Docker Engine is {difference} this machine's",
    "Synchronise both clocks with NTP (timedatectl set-ntp true).",
  ),
  "engine-disk-full": errorOrWarning(
    "the engine's folder {path} is {state}",
    "Remove what no container uses: docker system prune. Or enlarge the file system.",
  ),
});
const { found } = kinds;

/**
 * capabilities of services came with this API (Docker 20.10), and the tests run with an engine and a CLI of
 * that line.
 */
const OLDEST_API = "1.41";

/** The first line of Docker with an API that engines ask for. Source: docs.docker.com, Engine API, version history. */
const FIRST_WITH: Readonly<Record<string, string>> = { [OLDEST_API]: "20.10", "1.44": "25.0" };

/** Whether the engine, the Swarm and its nodes can run the stack. Pure. */
export function judgeSwarm(config: Config, facts: SwarmFacts): Finding[] {
  const { serverVersion: version, apiVersion, swarmState, nodeId } = facts;
  const findings = judgeClient(facts);
  if (isOlderApi(apiVersion, OLDEST_API))
    findings.push(
      found("engine-too-old", { version }, `docker version: API ${apiVersion}, needed ${OLDEST_API}`),
    );
  if (swarmState !== "active") findings.push(found("no-swarm", {}, `docker info: Swarm is ${swarmState}`));
  else if (!facts.isManager)
    findings.push(found("no-manager", {}, `docker info: node ${nodeId} is no manager`));
  if (!facts.isManager) return findings;

  const fitting = fittingNodes(config, facts).map(({ hostname }) => hostname);
  const [node = ""] = fitting;
  if (fitting.length === 0) {
    const constraints = config.registry.placement.constraints.join(", ") || "the registry";
    findings.push(found("no-node-fits", { constraints }, `nodes: ${nodesOf(facts)}`));
  } else if (fitting.length > 1 && !isSharedStorage(config)) {
    const values = { count: fitting.length, storage: storagePlace(config), node };
    findings.push(found("several-nodes-fit", values, `nodes that fit: ${fitting.join(", ")}`));
  }
  if (config.swarm.endpointMode === "vip" && facts.hasIpvs === false)
    findings.push(found("no-ipvs", {}, "/proc/net/ip_vs is not there, and no module ip_vs"));
  return findings;
}

/** A docker command that is too old for hephaestus, or for the engine: Docker 29 refuses APIs below 1.44. */
function judgeClient({ client, serverVersion, minApiVersion = OLDEST_API }: SwarmFacts): Finding[] {
  const oldest = isOlderApi(minApiVersion, OLDEST_API) ? OLDEST_API : minApiVersion;
  if (client === undefined || !isOlderApi(client.apiVersion, oldest)) return [];
  const refusal =
    oldest === OLDEST_API
      ? ""
      : ` by this engine. It answers: "client version ${client.apiVersion} is too old. Minimum supported API version is ${oldest}"`;
  const evidence = `docker version: the client's newest API is ${client.apiVersion}, needed ${oldest}${refusal}`;
  const values = { version: client.version, needed: FIRST_WITH[oldest] ?? serverVersion };
  return [found("client-too-old", values, evidence)];
}

const isOlderApi = (version: string, than: string): boolean => compareVersions(version, than) < 0;

const nodesOf = ({ nodes }: SwarmFacts): string =>
  nodes
    .map(({ Description, Spec, Status }) => `${Description.Hostname} (${Status.State}, ${Spec.Availability})`)
    .join(", ");

function judgeSilence(cause: unknown): Finding {
  const { evidence, remedy = "See that `docker version` works in this shell." } = evidenceOf(cause);
  return found("docker-silent", { advice: remedy }, evidence);
}

export const judgeEngineClock = (reading: ClockReading): Finding[] =>
  judgeClock(reading, (difference, evidence) => found("clock-engine", { difference }, evidence));

/** Images and logs of the whole engine: less than this, and tasks do not start. */
const ENGINE_LIMITS: Limits = { errorShare: 0.01, warningShare: 0.05, warningBelow: 1e9 };

/** Where the engine keeps images, containers and their logs. */
export const judgeDataRoot = (path: string, room: Disk): Finding[] =>
  roomLeft(room, ENGINE_LIMITS, "bytes").map(({ state, evidence, severity }) =>
    found("engine-disk-full", { path, state }, evidence, severity),
  );

export const engineChecks: Checks = {
  kinds: [kinds],
  checks: [
    {
      title: "engine, Swarm and nodes",
      preflight: true,
      run: async ({ config, swarm }) => judgeSwarm(config, await swarm()),
      failed: judgeSilence,
    },
    {
      title: "clock of the engine",
      needs: "engine",
      run: async ({ engine }) => judgeEngineClock((await engine()).clock),
    },
    {
      title: "disk of the engine",
      needs: "engine",
      run: async ({ endpoint, engine }) => {
        if (!(await endpoint()).isLocal) return [];
        const { dataRoot } = await engine();
        const room = await readRoom(dataRoot);
        return room ? judgeDataRoot(dataRoot, room) : [];
      },
    },
  ],
};
