import { engineRemove } from "../docker/engineApi.js";
import type { Docker } from "../docker/run.js";
import { MOST_PROCESSES } from "../services/parts.js";
import { labelledBy, listServices } from "./objects.js";
import { LABELS } from "./secrets.js";

/**
 * How a service is created that helps hephaestus for a moment: it runs once, from an image that is there or
 * can be pulled, and belongs to the stack by its label.
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

/**
 * Removes a helper service; one of that name that hephaestus did not make stays.
 *
 * @returns whether there was one
 */
export async function removeHelperService(docker: Docker, stack: string, name: string): Promise<boolean> {
  const found = await listServices(docker, { ...labelledBy(stack), name: [name] });
  return found.some(({ Spec }) => Spec.Name === name) && removeService(docker, name);
}

/** Removes a service if the engine lets it go. @returns whether it is gone */
export const removeService = (docker: Docker, service: string): Promise<boolean> =>
  engineRemove(docker, `/services/${service}`);

/** The service that is started for it where no task of the registry runs on this engine. */
export const readerServiceName = (stack: string): string => `${stack}_htpasswd-reader`;
