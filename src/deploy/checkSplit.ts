import { storagePlace } from "../config/resolve.js";
import { stackServices, tasksOf } from "../docker/objects.js";
import { ExitCode, OperatorError } from "../errors.js";
import type { Session } from "../operation/stackSession.js";
import { splitTasks } from "../storage/storageSplit.js";
import { inStep, skipped } from "../terminal/inStep.js";

/** Checks that the registry and the reader see the same images, by the nodes of their tasks. */
export const checkSplit = ({ config, docker, options, reporter }: Session): Promise<unknown> =>
  inStep(reporter, { id: "storage", title: "Storage" }, async () => {
    if (!options.wait) return skipped("the rollout was not waited for");
    const services = await stackServices(docker, config.stack);
    const tasks = await tasksOf(docker, services);
    const split = splitTasks(
      config,
      services.map((service) => ({ service, tasks: tasks(service) })),
    );
    if (split.length === 0) return storagePlace(config);
    throw new OperatorError(
      `registry and reader run on several nodes, but ${storagePlace(config)} is a folder of one node: ${split.join(", ")}`,
      {
        where: config.stack,
        remedy:
          "Name the node in registry.placement.constraints (node.hostname == …), or set registry.storage.shared: true if all nodes share that folder. Then run hephaestus render and hephaestus deploy.",
        exitCode: ExitCode.verify,
      },
    );
  });
