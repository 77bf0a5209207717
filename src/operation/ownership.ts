import { generationOf, HTPASSWD } from "../credentials/secretKinds.js";
import { isOwnService, listServices, STACK_LABEL, servicesOf, stackServices } from "../docker/objects.js";
import type { Docker } from "../docker/run.js";
import { stackSecretNames } from "../docker/swarmSecrets.js";
import { OWNER_LABEL } from "../services/composeModel.js";
import { contentDigest, isContentName } from "../services/contentName.js";
import { SERVICE_NAMES } from "../stack.js";
import type { Finding } from "./findings.js";

/**
 * What in a stack's namespace belongs to Hephaestus: what carries its label. Versions before the label left services,
 * configs and a network without it. They are recognised by what only Hephaestus makes, and the next deploy labels the
 * services and configs; a network cannot get a label later.
 */

/** An object in the stack's namespace that is not the stack's own. */
export interface ForeignObject {
  type: "service" | "network" | "config" | "secret";
  name: string;
}

/** Names of one kind of objects in a stack's namespace, by owner. */
interface Owned {
  own: string[];
  foreign: string[];
}

/** Everything in the stack's namespace, and every service with a name of the stack's, that is not the stack's own. */
export async function readForeign(docker: Docker, stack: string): Promise<ForeignObject[]> {
  const found = {
    service: await foreignServices(docker, stack),
    network: (await wasDeployed(docker, stack)) ? [] : (await labelled(docker, stack, "network")).foreign,
    config: (await stackConfigs(docker, stack)).foreign,
    secret: (await labelled(docker, stack, "secret")).foreign,
  };
  return Object.entries(found).flatMap(([type, names]) =>
    names.map((name) => ({ type: type as ForeignObject["type"], name })),
  );
}

/** Number of foreign objects that an error names; the others are counted. */
const NAMED_OBJECTS = 5;

/** Reports foreign objects in the namespace of the stack, since two owners would overwrite each other. Pure. */
export function judgeNamespace(stack: string, foreign: readonly ForeignObject[]): Finding[] {
  if (foreign.length === 0) return [];
  const named = foreign.slice(0, NAMED_OBJECTS);
  const more = foreign.length > named.length ? ` and ${foreign.length - named.length} more` : "";
  const removals = named.map(({ type, name }) => `docker ${type} rm ${name}`).join("; ");
  return [
    {
      id: "namespace-foreign",
      severity: "error",
      message: `the stack name ${stack} is in use by something else: ${named.map(({ type, name }) => `${type} ${name}`).join(", ")}${more}`,
      evidence: `they are in the namespace ${stack} and do not have the label ${OWNER_LABEL}=${stack}`,
      remedy: `Set another name in hephaestus.yaml (stack: …), or, if nobody needs them, remove them: ${removals}`,
    },
  ];
}

/** Names of the services in the stack's namespace, or with a name of the stack's, that are not its own. */
export async function foreignServices(docker: Docker, stack: string): Promise<string[]> {
  const names = new Set(SERVICE_NAMES.map((service) => `${stack}_${service}`));
  const named = await servicesOf(docker, ["service", "ls", "--quiet", "--filter", `name=${stack}_`]);
  const inNamespace = await servicesOf(docker, listServices(stack));
  const candidates = [...named.filter(({ Spec }) => names.has(Spec.Name)), ...inNamespace];
  const foreign = candidates.filter((service) => !isOwnService(stack, service)).map(({ Spec }) => Spec.Name);
  return [...new Set(foreign)].sort();
}

/** Names of the configs that the stack's services are made from, those in use and older ones. */
export async function ownConfigs(docker: Docker, stack: string): Promise<string[]> {
  return (await stackConfigs(docker, stack)).own;
}

async function stackConfigs(docker: Docker, stack: string): Promise<Owned> {
  const { own, foreign } = await labelled(docker, stack, "config");
  const candidates = foreign.filter((name) =>
    SERVICE_NAMES.some((service) => isContentName(stack, service, name)),
  );
  if (candidates.length === 0) return { own, foreign };
  const { stdout } = await docker.attempt(["config", "inspect", ...candidates]);
  const inspected = JSON.parse(stdout.trim() || "[]") as Array<{ Spec: { Name: string; Data?: string } }>;
  const recognised = inspected
    .filter(({ Spec }) => Spec.Name.endsWith(`_${contentDigest(Buffer.from(Spec.Data ?? "", "base64"))}`))
    .map(({ Spec }) => Spec.Name);
  return {
    own: [...own, ...recognised].sort(),
    foreign: foreign.filter((name) => !recognised.includes(name)),
  };
}

/**
 * Names of the stack's own networks.
 *
 * @param internal name of the stack's network in the config
 */
export async function ownNetworks(docker: Docker, stack: string, internal: string): Promise<string[]> {
  const { own, foreign } = await labelled(docker, stack, "network");
  const recognised = foreign.filter((name) => name === `${stack}_${internal}`);
  return recognised.length > 0 && (await wasDeployed(docker, stack)) ? [...own, ...recognised] : own;
}

/** Names of the networks in the stack's namespace that carry Hephaestus's label. */
export const labelledNetworks = async (docker: Docker, stack: string): Promise<string[]> =>
  (await labelled(docker, stack, "network")).own;

/** Whether Hephaestus deployed the stack: it has services, or users. */
async function wasDeployed(docker: Docker, stack: string): Promise<boolean> {
  if ((await stackServices(docker, stack)).length > 0) return true;
  return (await stackSecretNames(docker, stack)).some(
    (name) => generationOf(stack, HTPASSWD, name) !== undefined,
  );
}

/** Names of what is in the stack's namespace, with Hephaestus's label and without. */
async function labelled(
  docker: Docker,
  stack: string,
  type: "network" | "config" | "secret",
): Promise<Owned> {
  const format = `{{.Name}} {{.Label "${OWNER_LABEL}"}}`;
  const output = await docker.run([
    type,
    "ls",
    "--filter",
    `label=${STACK_LABEL}=${stack}`,
    "--format",
    format,
  ]);
  const lines = output
    .split("\n")
    .filter(Boolean)
    .map((line) => line.split(" "));
  const names = (own: boolean) =>
    lines.filter(([, owner]) => (owner === stack) === own).map(([name = ""]) => name);
  return { own: names(true), foreign: names(false) };
}
