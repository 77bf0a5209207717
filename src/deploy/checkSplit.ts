import { storagePlace } from "../config/resolve.js";
import { judgeSplit } from "../doctor/storageChecks.js";
import { ExitCode, OperatorError } from "../errors.js";
import type { Session } from "../session.js";
import { stackServices, tasksOf } from "../swarm/objects.js";
import { inStep, skipped } from "../terminal/inStep.js";

/**
 * Checks that the registry and the service that reads its files see the same images, by the nodes of their
 * tasks.
 */
export const checkSplit = ({ config, docker, options, reporter }: Session): Promise<unknown> =>
  inStep(reporter, { id: "storage", title: "Storage" }, async () => {
    if (!options.wait) return skipped("the rollout was not waited for");
    const services = await stackServices(docker, config.stack);
    const tasks = await tasksOf(docker, services);
    const [split] = judgeSplit(
      config,
      services.map((service) => ({ service, tasks: tasks(service) })),
    );
    if (split === undefined) return storagePlace(config);
    const { message, evidence, remedy } = split;
    throw new OperatorError(`${message}: ${evidence}`, {
      where: config.stack,
      remedy,
      exitCode: ExitCode.verify,
    });
  });
