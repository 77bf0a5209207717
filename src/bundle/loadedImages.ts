import type { Docker } from "../docker/run.js";
import { ExitCode, OperatorError } from "../errors.js";
import type { BundledImage } from "./bundleFormat.js";

/**
 * Checks that the engine has the images of a bundle by their names. The ID of an image is the digest of its config, or with
 * containerd's image store that of its manifest.
 *
 * @throws OperatorError where it lacks one, or has another one of that name
 */
export async function checkLoaded(docker: Docker, images: readonly BundledImage[]): Promise<void> {
  for (const { name, digest, config } of images) {
    const { stdout } = await docker.attempt(["image", "inspect", "--format", "{{.Id}}", name]);
    const id = stdout.trim();
    if (id === digest || id === config) continue;
    throw new OperatorError(
      id === ""
        ? "was loaded, and the engine does not find it by its name"
        : `is ${id} on this engine, and ${config} in the bundle`,
      {
        where: name,
        remedy: "Make the bundle again with this version: hephaestus bundle --force",
        exitCode: ExitCode.verify,
      },
    );
  }
}
