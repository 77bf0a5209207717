import { storageFolder } from "../config/resolve.js";
import type { Docker } from "../docker/run.js";
import { setupHost } from "../host/setupHost.js";
import type { Step } from "../operation/context.js";
import { setupHostByJob } from "./hostJob.js";

/** Why no host is prepared. */
export const hostSkip: NonNullable<Step["skip"]> = ({ config, options }) =>
  storageFolder(config) === undefined
    ? "the images are in a bucket"
    : options.hostSetup
      ? undefined
      : "--skip-host-setup";

/**
 * Prepares the folder of the storage on its node: here, over ssh, or by a Swarm job.
 *
 * @param cleanupDocker a docker that still works after an interruption
 */
export const prepareHost = (cleanupDocker: Docker): Step => ({
  id: "setup-host",
  title: "Host",
  skip: hostSkip,
  async run({ config, docker, host, storageHost, options, reporter }) {
    const output = storageHost
      ? await setupHostByJob(
          docker,
          cleanupDocker,
          config,
          storageHost,
          options.timeoutSeconds,
          reporter.progress,
        )
      : (await setupHost(config, host, false)).output;
    const line = output.split("\n").at(-1) ?? "";
    return `${line.replace(/^setup_host: /, "")}${storageHost ? ` on ${storageHost.hostname}` : ""}`;
  },
});
