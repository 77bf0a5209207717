import { LABELS } from "./secrets.js";

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
    ...["--name", name],
    ...["--label", `${LABELS.stack}=${stack}`],
    ...constraints.flatMap((constraint) => ["--constraint", constraint]),
    ...more,
    ...["--entrypoint", program],
    image,
    ...rest,
  ];
}
