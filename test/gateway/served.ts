/** A stack with one gateway that serves what the product renders. */
import { readFile } from "node:fs/promises";
import { pushImage } from "../e2e/attacks/image.js";
import { CREDENTIALS } from "../e2e/stack.js";
import { RIGHT, type Site } from "./attacks/site.js";
import { type GatewayFiles, gatewayFiles, startGateways } from "./gateways.js";
import { HOST, PlainStack } from "./plainStack.js";

export interface Served extends Site {
  stack: PlainStack;
  /** The folder with the files of the gateway. What a container has in memory is in its `tmp`. */
  home: string;
  /** Where the gateway listens. */
  url: string;
}

/**
 * Starts one more gateway before a stack, which knows nothing of what the others remember.
 *
 * @param change of the rendered files
 */
export async function serveGateway(
  stack: PlainStack,
  image: Site["image"],
  change = (files: GatewayFiles): GatewayFiles => files,
): Promise<Served> {
  const plan = { ...change(gatewayFiles(stack)), around: "stack" as const };
  const [site] = await startGateways(stack, [plan], image);
  if (site === undefined) throw new Error("startGateways() lost a gateway.");
  const { port } = site.endpoint.to as { port: number };
  return { ...site, stack, home: `${stack.folder}/gateway-${port}`, url: `http://${HOST}:${port}` };
}

/**
 * Starts a registry with one image, a reader and a gateway.
 *
 * @param config of hephaestus.yaml, beside what makes the stack work on this machine
 * @param htpasswd the users
 * @param repository where the image is
 */
export async function serve(
  config: Record<string, unknown>,
  { htpasswd = CREDENTIALS.REGISTRY_HTPASSWD, repository = "tools/hello" } = {},
): Promise<Served> {
  const stack = await PlainStack.start(config, htpasswd);
  return serveGateway(stack, await pushImage(stack.registry, RIGHT, repository, "latest"));
}

/** Processes of an nginx: none of them is another one as long as none has ended. */
export async function processesOf(home: string): Promise<string> {
  const first = (await readFile(`${home}/tmp/nginx.pid`, "utf8")).trim();
  return `${first}: ${await readFile(`/proc/${first}/task/${first}/children`, "utf8")}`;
}
