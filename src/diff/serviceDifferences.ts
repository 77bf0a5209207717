import { NOT_SHOWN, namesSecret } from "../credentials/redaction.js";
import { FAMILIES, type Generations, generationVariables } from "../credentials/secretKinds.js";
import type { Docker } from "../docker/run.js";
import { unifiedDiff } from "../render/compare.js";
import type { RenderedFile } from "../render/renderedFile.js";
import { generationInUse } from "../secrets/generations.js";
import type { ComposeFile } from "../services/composeModel.js";
import type { ResolveImage, Session } from "../session.js";
import { COMPOSE_FILE } from "../stack.js";
import { contentOf, findConfig } from "../swarm/configs.js";
import { listNetworks, type SwarmService, secretNamesOf, stackServices } from "../swarm/objects.js";
import { composedSpec, readComposeFile, type Spec } from "./composedService.js";
import {
  CONFIG_FACT,
  type Facts,
  imageLabel,
  type Reach,
  type SpecNames,
  serviceFacts,
} from "./serviceFacts.js";

/** A fact that changes; undefined if it was not set, or will not be. */
export interface FactChange {
  fact: string;
  from: string | undefined;
  to: string | undefined;
  reach: Reach;
  /** Of a config: what changes in its content, as a unified diff. */
  diff?: string;
}

/** What changes from one set of facts to the other, in the order of their names. Pure. */
export function factChanges(from: Facts, to: Facts): FactChange[] {
  return [...new Set([...from.keys(), ...to.keys()])].sort().flatMap((fact) => {
    const [before, after] = [from.get(fact), to.get(fact)];
    if (before?.value === after?.value) return [];
    const reach = (after ?? before)?.reach ?? "tasks";
    const shown = (value: string | undefined) =>
      value !== undefined && holdsSecret(fact) ? NOT_SHOWN : value;
    return [{ fact, from: shown(before?.value), to: shown(after?.value), reach }];
  });
}

/** Somebody may have set one by hand. */
const holdsSecret = (fact: string): boolean =>
  /^(?:environment|label|container label) /.test(fact) && namesSecret(fact);

/** The widest first. */
const REACHES: readonly Reach[] = ["tasks", "placement", "settings", "labels"];

/** What all changes of a service together reach. */
const widestReach = (changes: readonly FactChange[]): Reach =>
  REACHES.find((reach) => changes.some((change) => change.reach === reach)) ?? "labels";

/** What a deploy would do to one service. */
export interface ServiceDifference {
  /** Its name in the Swarm. */
  service: string;
  action: "create" | "update" | "remove";
  image: string;
  /** Of an update: what it reaches. */
  reach: Reach;
  changes: FactChange[];
}

/**
 * What a deploy of the config would change in the Swarm, service by service; services that stay as they are
 * are left out. What lies on the disk does not count, and nothing is touched.
 *
 * @param generations those that the services will use; a family that is not among them stays as it is
 * @param resolveImage as deploy has it: with `always` it also puts back an image that another user changed
 * @throws OperatorError when docker fails
 */
export async function serviceDifferences(
  { config, docker, files }: Pick<Session, "config" | "docker" | "files">,
  generations: Generations,
  resolveImage: ResolveImage = "always",
): Promise<ServiceDifference[]> {
  const { stack } = config;
  const compose = readComposeFile(files.find(({ path }) => path === COMPOSE_FILE)?.text ?? "");
  const services = await stackServices(docker, stack);
  const variables = generationVariables({ ...usedGenerations(stack, services), ...generations });
  const wanted = Object.keys(compose.services)
    .sort()
    .map((name) => composedSpec(stack, compose, name, variables));
  const running = services.map(({ Spec }) => Spec as unknown as Spec);
  const names = { stack, networks: await networkNames(docker) };
  const contents = contentsOf(compose, files);
  return Promise.all(
    compareSpecs(wanted, running, names, resolveImage).map(async (difference) => ({
      ...difference,
      changes: await Promise.all(difference.changes.map((change) => withContent(docker, change, contents))),
    })),
  );
}

/** The generation of each family that the services use. */
function usedGenerations(stack: string, services: readonly SwarmService[]): Partial<Generations> {
  const found = { stack, used: secretNamesOf(services) };
  return Object.fromEntries(
    Object.entries(FAMILIES).map(([family, { kinds }]) => [family, generationInUse(found, kinds[0])]),
  );
}

/** Pure: what would become of each service. */
export function compareSpecs(
  wanted: readonly Spec[],
  running: readonly Spec[],
  names: SpecNames,
  resolveImage: ResolveImage,
): ServiceDifference[] {
  const services = new Set([...wanted, ...running].map(({ Name }) => String(Name)));
  return [...services].flatMap((service): ServiceDifference[] => {
    const [before, after] = [running, wanted].map((specs) => specs.find(({ Name }) => Name === service));
    const [from, to] = [before, after].map((spec) => (spec ? serviceFacts(spec, names) : undefined));
    // Without looking at a registry, `docker stack deploy` takes an image for unchanged by this label alone.
    const isImageKept =
      resolveImage !== "always" && before && after && imageLabel(before) === imageLabel(after);
    const changes = factChanges(from ?? new Map(), to ?? new Map()).filter(
      ({ fact }) => !(isImageKept && fact === "image"),
    );
    if (changes.length === 0) return [];
    const action = from === undefined ? "create" : to === undefined ? "remove" : "update";
    const image = (to ?? from)?.get("image")?.value ?? "";
    return [{ service, action, image, reach: widestReach(changes), changes }];
  });
}

async function networkNames(docker: Docker): Promise<Map<string, string>> {
  return new Map((await listNetworks(docker)).map(({ Id, Name }) => [Id, Name]));
}

/** Content by the name of a config. */
const contentsOf = ({ configs }: ComposeFile, files: readonly RenderedFile[]): Map<string, string> =>
  new Map(
    Object.values(configs).map(({ name, file }) => [
      name,
      files.find(({ path }) => file === `./${path}`)?.text ?? "",
    ]),
  );

/** Swarm shows the content of a config, but not of a secret. */
async function withContent(
  docker: Docker,
  change: FactChange,
  contents: ReadonlyMap<string, string>,
): Promise<FactChange> {
  const { fact, from, to } = change;
  if (!fact.startsWith(CONFIG_FACT) || from === undefined || to === undefined) return change;
  const config = await findConfig(docker, from);
  if (config === undefined) return change;
  const before = contentOf(config).toString("utf8");
  const place = fact.slice(CONFIG_FACT.length);
  return {
    ...change,
    diff: unifiedDiff(place, before, contents.get(to) ?? "", ["running", "rendered"]),
  };
}
