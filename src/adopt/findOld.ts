import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { engineFind, engineGet, listPath } from "../docker/engineApi.js";
import type { Docker } from "../docker/run.js";
import { ExitCode, OperatorError } from "../errors.js";
import { absentAs } from "../host/files.js";
import { kernelHasIpvs } from "../host/kernel.js";
import { OWNER_LABEL } from "../services/composeModel.js";
import { CONFIG_PATHS } from "../services/registry.js";
import { contentOf, findConfig } from "../swarm/configs.js";
import {
  listNetworks,
  listNodes,
  listServices,
  runningContainersOf,
  STACK_LABEL,
  type SwarmService,
  serviceTasks,
} from "../swarm/objects.js";
import { fromCompose } from "./composeFile.js";
import { fromContainer, fromSwarm, INSPECTED, type OldService } from "./oldService.js";
import { hasRegistryPort, isRegistry, isUi } from "./plan.js";
import type { Surroundings } from "./surroundings.js";

/** What is adopted, and what it was read from. */
export interface Found {
  registry: OldService;
  ui: OldService | undefined;
  surroundings: Omit<Surroundings, "stack" | "domain">;
}

const notFound = (what: string, remedy: string) =>
  new OperatorError(what, { where: "adopt", remedy, exitCode: ExitCode.preflight });

/**
 * The one registry among services.
 *
 * @param wanted whether a person named it, so that the registry's port is enough
 * @throws OperatorError if there are several
 */
function pick(services: readonly OldService[], wanted: boolean): OldService | undefined {
  const certain = services.filter(isRegistry);
  const found = certain.length > 0 || !wanted ? certain : services.filter(hasRegistryPort);
  if (found.length < 2) return found[0];
  throw notFound(
    `${found.map(({ name }) => name).join(" and ")} are registries`,
    "Name the one to adopt by its service or its stack: hephaestus adopt NAME",
  );
}

/** The file that the registry reads its settings from, by what is mounted there. */
const isConfigFile = ({ target }: { target: string }): boolean =>
  Object.values<string>(CONFIG_PATHS).includes(target);

/** The registry of a compose file; nothing is asked of any engine. */
export async function findInCompose(path: string, stack: string): Promise<Found> {
  const text = await readFile(path, "utf8").catch(absentAs(undefined));
  if (text === undefined) throw notFound(`there is no file ${path}`, "Give the path of a compose file.");
  const services = fromCompose(text, stack, process.env, resolve(dirname(path)));
  const registry = pick(services, true);
  if (registry === undefined)
    throw notFound(`${path} has no registry`, "Give the file of the stack that has the service.");
  const place = registry.files.find(isConfigFile)?.path ?? registry.mounts.find(isConfigFile)?.source;
  const configText = place && (await readFile(place, "utf8").catch(absentAs(undefined)));
  return { registry, ui: services.find(isUi), surroundings: { configText } };
}

/**
 * The registry that runs: a service of the Swarm, or a container of this engine.
 *
 * @param name of its stack, its service or its container; undefined if there is only one
 */
export async function findRunning(docker: Docker, name: string | undefined): Promise<Found> {
  const networks = await listNetworks(docker);
  const services = (await listServices(docker)).filter(
    ({ Spec }) => Spec.Labels?.[OWNER_LABEL] === undefined,
  );
  const isNamed = ({ Spec }: SwarmService) =>
    name === undefined || Spec.Name === name || Spec.Labels?.[STACK_LABEL] === name;
  const candidates = services
    .filter(isNamed)
    .map((service) => ({ service, old: fromSwarm(service, networks) }));
  const registry = pick(
    candidates.map(({ old }) => old),
    name !== undefined,
  );
  if (registry === undefined) return findContainer(docker, name);
  const service = candidates.find(({ old }) => old === registry)?.service as SwarmService;
  const stack = service.Spec.Labels?.[STACK_LABEL];
  const ui = services
    .filter(({ Spec }) => stack !== undefined && Spec.Labels?.[STACK_LABEL] === stack)
    .map((one) => fromSwarm(one, networks))
    .find(isUi);
  const nodes = await listNodes(docker);
  const [task] = (await serviceTasks(docker, service.Spec.Name)).filter(
    ({ Status }) => Status.State === "running",
  );
  const node = nodes.find(({ ID }) => ID === task?.NodeID)?.Description.Hostname;
  const [container] = await runningContainersOf(docker, service.ID);
  const traefik = services.find(({ Spec }) =>
    /(?:^|\/)traefik[:@]/.test(Spec.TaskTemplate.ContainerSpec.Image),
  );
  const line = /:v?([23])\b/.exec(traefik?.Spec.TaskTemplate.ContainerSpec.Image ?? "")?.[1];
  const config = registry.files.find((file) => file.kind === "config" && isConfigFile(file));
  const stored = config && (await findConfig(docker, config.name));
  const mounted = registry.mounts.find(isConfigFile);
  return {
    registry,
    ui,
    surroundings: {
      configText: stored
        ? contentOf(stored).toString("utf8")
        : mounted && container && (await readInContainer(docker, container.id, mounted.target)),
      traefik: line === undefined ? undefined : line === "2" ? 2 : 3,
      traefikNetworks: (traefik ? fromSwarm(traefik, networks).networks : []).map((one) => one.name),
      node: nodes.length > 1 ? node : undefined,
      dnsrr: registry.dnsrr,
    },
  };
}

const LISTED = z.array(
  z.object({
    Id: z.string(),
    Names: z.array(z.string()),
    Labels: z.record(z.string(), z.string()).nullish(),
  }),
);

/** A registry that was started with `docker run`, on this engine. */
async function findContainer(docker: Docker, name: string | undefined): Promise<Found> {
  const listed = await engineGet(docker, listPath("/containers/json", { status: ["running"] }), LISTED);
  const own = listed.filter(({ Labels }) => Labels?.["com.docker.swarm.service.id"] === undefined);
  const inspected = await Promise.all(
    own.map(({ Id }) => engineFind(docker, `/containers/${Id}/json`, INSPECTED)),
  );
  const all = inspected.flatMap((one) =>
    one === undefined ? [] : [{ id: one.Id, old: fromContainer(one) }],
  );
  const named = all.filter(({ old }) => name === undefined || old.name === name);
  const registry = pick(
    named.map(({ old }) => old),
    name !== undefined,
  );
  if (registry === undefined)
    throw notFound(
      name === undefined ? "no registry runs here" : `no registry runs under the name ${name}`,
      "Name its stack, its service or its container: hephaestus adopt NAME. Or give a compose file: --compose FILE",
    );
  const id = all.find(({ old }) => old === registry)?.id ?? "";
  const mounted = registry.mounts.find(isConfigFile);
  return {
    registry,
    ui: all.find(({ old }) => isUi(old))?.old,
    surroundings: {
      configText: mounted && (await readInContainer(docker, id, mounted.target)),
      dnsrr: !kernelHasIpvs(),
    },
  };
}

/** A file as a container sees it. Its text goes through this process alone. */
async function readInContainer(docker: Docker, container: string, path: string): Promise<string | undefined> {
  const { exitCode, stdout } = await docker.attempt(["exec", container, "cat", "--", path]);
  return exitCode === 0 ? stdout : undefined;
}
