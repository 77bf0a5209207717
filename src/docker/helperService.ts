import { MOST_PROCESSES } from "../services/parts.js";
import { words } from "./objects.js";
import type { Docker } from "./run.js";
import { LABELS } from "./swarmSecrets.js";

/**
 * How a service is created that helps hephaestus for a moment: it runs once, from an image that is there or can be
 * pulled, and belongs to the stack by its label.
 *
 * @param more what it is for: mounts, secrets, a user
 * @param program the command and its arguments
 */
export function createHelperService(
  stack: string,
  name: string,
  constraints: readonly string[],
  more: readonly string[],
  image: string,
  [program = "", ...rest]: readonly string[],
): string[] {
  return [
    ...["service", "create", "--detach", "--quiet"],
    ...["--no-resolve-image", "--with-registry-auth", "--no-healthcheck"],
    ...["--restart-condition", "none"],
    ...["--limit-pids", String(MOST_PROCESSES)],
    ...["--name", name],
    ...["--label", `${LABELS.stack}=${stack}`],
    ...constraints.flatMap((constraint) => ["--constraint", constraint]),
    ...more,
    ...["--entrypoint", program],
    image,
    ...rest,
  ];
}

/** How the services are listed, by id, that carry the stack's label: its own, and those beside it. */
export const listLabelledServices = (stack: string) => [
  "service",
  "ls",
  "--quiet",
  "--filter",
  `label=${LABELS.stack}=${stack}`,
];

/**
 * Removes a helper service; one of that name that hephaestus did not make stays.
 *
 * @returns whether there was one
 */
export async function removeHelperService(docker: Docker, stack: string, name: string): Promise<boolean> {
  const filters = ["--filter", `label=${LABELS.stack}=${stack}`, "--filter", `name=${name}`];
  const found = words(await docker.run(["service", "ls", ...filters, "--format", "{{.Name}}"]));
  return found.includes(name) && (await docker.attempt(["service", "rm", name])).exitCode === 0;
}
/** The service that is started for it where no task of the registry runs on this engine. */
export const readerServiceName = (stack: string): string => `${stack}_htpasswd-reader`;
