import { REGSYNC } from "../services/mirror.js";
import { ownParts, usedImage } from "../services/mirrorSources.js";
import { UNPRIVILEGED } from "../services/parts.js";
import type { Session } from "../session.js";
import { runJob } from "../swarm/jobs.js";
import { stackServices } from "../swarm/objects.js";
import { inStep } from "../terminal/inStep.js";

/** A command that each image has, and that ends at once. */
const HARMLESS = {
  registry: ["registry", "--version"],
  gateway: ["nginx", "-v"],
  ui: ["nginx", "-v"],
  regsync: [REGSYNC, "version"],
} as const;

/**
 * Pulls the stack's images from its own registry onto each node, before a rollout that could need them while
 * the registry is being replaced. Images that services run already are there.
 */
export async function pullOwnImages(session: Session): Promise<void> {
  const { config, docker, options, reporter } = session;
  if (config.regsync.self !== "use") return;
  await inStep(reporter, { id: "own-images", title: "Own images" }, async () => {
    const running = (await stackServices(docker, config.stack)).map(({ Spec }) =>
      Spec.TaskTemplate.ContainerSpec.Image.replace(/@.*$/, ""),
    );
    const pulled: string[] = [];
    for (const part of ownParts(config)) {
      const image = usedImage(config, config[part].image);
      if (running.includes(image.replace(/@.*$/, "")) || pulled.includes(image)) continue;
      const job = {
        name: "pull",
        image,
        command: HARMLESS[part],
        user: UNPRIVILEGED,
        mounts: [],
        constraints: [],
        everywhere: true,
      } as const;
      await runJob(session, config.stack, job, options.timeoutSeconds, (message) =>
        reporter.progress(`${image}: ${message}`),
      );
      pulled.push(image);
    }
    return pulled.length === 0
      ? "the services run them already"
      : `pulled onto each node: ${pulled.join(", ")}`;
  });
}
