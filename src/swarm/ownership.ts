import type { Docker } from "../docker/run.js";
import { OWNER_LABEL } from "../services/composeModel.js";
import { SERVICE_NAMES } from "../stack.js";
import { listConfigs } from "./configs.js";
import { inNamespace, isOwnService, listNetworks, listServices } from "./objects.js";
import { listSecrets } from "./secrets.js";

/** What in a stack's namespace belongs to Hephaestus: what carries its label. */

/** An object in the stack's namespace that is not the stack's own. */
export interface ForeignObject {
  type: "service" | "network" | "config" | "secret";
  name: string;
}

/**
 * Everything in the stack's namespace, and every service with a name of the stack's, that is not the stack's
 * own.
 */
export async function readForeign(docker: Docker, stack: string): Promise<ForeignObject[]> {
  const secrets = (await listSecrets(docker, inNamespace(stack))).map(({ Spec }) => Spec);
  const found = {
    service: await foreignServices(docker, stack),
    network: split(stack, await listNetworks(docker, inNamespace(stack))).foreign,
    config: split(stack, await namespaceConfigs(docker, stack)).foreign,
    secret: split(stack, secrets).foreign,
  };
  return Object.entries(found).flatMap(([type, names]) =>
    names.map((name) => ({ type: type as ForeignObject["type"], name })),
  );
}

/** Names of the services in the stack's namespace, or with a name of the stack's, that are not its own. */
export async function foreignServices(docker: Docker, stack: string): Promise<string[]> {
  const names = new Set(SERVICE_NAMES.map((service) => `${stack}_${service}`));
  const named = await listServices(docker, { name: [`${stack}_`] });
  const labelled = await listServices(docker, inNamespace(stack));
  const candidates = [...named.filter(({ Spec }) => names.has(Spec.Name)), ...labelled];
  const foreign = candidates.filter((service) => !isOwnService(stack, service)).map(({ Spec }) => Spec.Name);
  return [...new Set(foreign)].sort();
}

/** Names of the configs that the stack's services are made from, those in use and older ones. */
export const ownConfigs = async (docker: Docker, stack: string): Promise<string[]> =>
  split(stack, await namespaceConfigs(docker, stack)).own;

/** Names of the stack's own networks. */
export const ownNetworks = async (docker: Docker, stack: string): Promise<string[]> =>
  split(stack, await listNetworks(docker, inNamespace(stack))).own;

const namespaceConfigs = async (docker: Docker, stack: string) =>
  (await listConfigs(docker, inNamespace(stack))).map(({ Spec }) => Spec);

/** Names of objects with Hephaestus's label and without. */
function split(
  stack: string,
  objects: ReadonlyArray<{ Name: string; Labels?: Readonly<Record<string, string>> | null | undefined }>,
) {
  const names = (own: boolean) =>
    objects
      .filter(({ Labels }) => (Labels?.[OWNER_LABEL] === stack) === own)
      .map(({ Name }) => Name)
      .sort();
  return { own: names(true), foreign: names(false) };
}
