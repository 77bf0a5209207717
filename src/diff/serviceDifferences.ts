import {
  type Generations,
  GIVEN_SECRETS,
  generationOf,
  generationVariables,
  type SecretKind,
} from "../credentials/secretKinds.js";
import { type SwarmService, secretNamesOf, stackServices } from "../docker/objects.js";
import type { Docker } from "../docker/run.js";
import type { DeployContext } from "../operation/context.js";
import type { ResolveImage } from "../operation/stackUpdate.js";
import { unifiedDiff } from "../render/compare.js";
import type { RenderedFile } from "../render/renderedFile.js";
import { COMPOSE_FILE } from "../stack.js";
import { chooseGenerations } from "../users/generations.js";
import { type ComposedStack, composedSpec, type Spec } from "./composedService.js";
import { readComposeFile } from "./composeFile.js";
import { type FactChange, factChanges, widestReach } from "./factChanges.js";
import { CONFIG_FACT, type Reach, type SpecNames, serviceFacts } from "./serviceFacts.js";

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
 * What a deploy of the config would change in the Swarm, service by service; services that stay as they are are left
 * out. What lies on the disk does not count, and nothing is touched.
 *
 * @param resolveImage as deploy has it: with `always` it also puts back an image that another user changed
 * @throws OperatorError when docker fails
 */
export async function serviceDifferences(
  context: DeployContext,
  resolveImage: ResolveImage = "always",
): Promise<ServiceDifference[]> {
  if (context.state === undefined) await chooseGenerations(context);
  return differencesFrom(context, resolveImage);
}

/** The same, where the generations of secrets that the services shall use are known. */
export async function differencesFrom(
  context: Composed,
  resolveImage: ResolveImage,
): Promise<ServiceDifference[]> {
  const { config, docker, files, generations } = context;
  const text = files.find(({ path }) => path === COMPOSE_FILE)?.text ?? "";
  const services = await stackServices(docker, config.stack);
  const compose = readComposeFile(
    text,
    generationVariables({ ...usedGenerations(config.stack, services), ...generations }),
  );
  const wanted = Object.keys(compose.services)
    .sort()
    .map((name) => composedSpec(config.stack, compose, name));
  const running = services.map(({ Spec }) => Spec as unknown as Spec);
  const names = { stack: config.stack, networks: await networkNames(docker) };
  const differences = compareSpecs(wanted, running, names, resolveImage);
  for (const { changes } of differences)
    for (const change of changes) await addContent(docker, change, contents(compose, files));
  return differences;
}

/** The generations of given secrets that the services use: where a command does not look at them, they stay. */
function usedGenerations(
  stack: string,
  services: readonly SwarmService[],
): Pick<Generations, "storage" | "given"> {
  const used = secretNamesOf(services);
  const newest = (kind: SecretKind) =>
    used.map((name) => generationOf(stack, kind, name)).find((generation) => generation !== undefined);
  const given = Object.fromEntries(GIVEN_SECRETS.map((kind) => [kind, newest(kind)]));
  return { storage: newest("s3"), given };
}

/** What the services are composed from. */
type Composed = Pick<DeployContext, "config" | "docker" | "files" | "generations">;

/** Pure: what would become of each service. */
export function compareSpecs(
  wanted: readonly Spec[],
  running: readonly Spec[],
  names: SpecNames,
  resolveImage: ResolveImage,
): ServiceDifference[] {
  const present = new Map(running.map((spec) => [spec.Name, spec]));
  const changed = wanted.flatMap((spec): ServiceDifference[] => {
    const [service, to] = [String(spec.Name), serviceFacts(spec, names)];
    const image = to.get("image")?.value ?? "";
    const before = present.get(service);
    if (before === undefined)
      return [{ service, action: "create", image, reach: "tasks", changes: factChanges(new Map(), to) }];
    const kept = resolveImage !== "always" && imageLabel(before) === imageLabel(spec);
    const changes = factChanges(serviceFacts(before, names), to).filter(
      ({ fact }) => !(kept && fact === "image"),
    );
    return changes.length === 0
      ? []
      : [{ service, action: "update", image, reach: widestReach(changes), changes }];
  });
  const stays = new Set(wanted.map(({ Name }) => Name));
  const removed = running
    .filter(({ Name }) => !stays.has(Name))
    .map((spec): ServiceDifference => {
      const facts = serviceFacts(spec, names);
      const image = facts.get("image")?.value ?? "";
      return {
        service: String(spec.Name),
        action: "remove",
        image,
        reach: "tasks",
        changes: factChanges(facts, new Map()),
      };
    });
  return [...changed, ...removed];
}

/** Without looking at a registry, `docker stack deploy` takes an image for unchanged by this label alone. */
const imageLabel = ({ Labels }: Spec): unknown => (Labels as Spec | undefined)?.["com.docker.stack.image"];

async function networkNames(docker: Docker): Promise<Map<string, string>> {
  const lines = await docker.run(["network", "ls", "--no-trunc", "--format", "{{.ID}} {{.Name}}"]);
  return new Map(lines.split("\n").map((line) => line.split(" ", 2) as [string, string]));
}

/** Content by the name of a config. */
function contents(compose: ComposedStack, files: readonly RenderedFile[]): Map<string, string> {
  const entries = Object.values(compose.configs ?? {}).map(({ name = "", file = "" }) => {
    const text = files.find(({ path }) => file.replaceAll("\\", "/").endsWith(`/${path}`))?.text;
    return [name, text ?? ""] as const;
  });
  return new Map(entries);
}

/** Swarm shows the content of a config, unlike that of a secret. */
async function addContent(
  docker: Docker,
  change: FactChange,
  wanted: ReadonlyMap<string, string>,
): Promise<void> {
  const { fact, from, to } = change;
  if (!fact.startsWith(CONFIG_FACT) || from === undefined || to === undefined) return;
  const { exitCode, stdout } = await docker.attempt(["config", "inspect", from]);
  if (exitCode !== 0) return;
  const [config] = JSON.parse(stdout) as Array<{ Spec: { Data: string } }>;
  const before = Buffer.from(config?.Spec.Data ?? "", "base64").toString("utf8");
  change.diff = unifiedDiff(fact.slice(CONFIG_FACT.length), before, wanted.get(to) ?? "", [
    "running",
    "rendered",
  ]);
}
