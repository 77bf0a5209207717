import { setupHost } from "../host/setupHost.js";
import type { Step } from "../operation/context.js";

/** Prepares the folder of the storage on its node. */
export const prepareHost: Step = {
  id: "setup-host",
  title: "Host",
  skip: ({ options }) => (options.hostSetup ? undefined : "--skip-host-setup"),
  async run({ config, host }) {
    const { output } = await setupHost(config, host, false);
    return (
      output
        .split("\n")
        .at(-1)
        ?.replace(/^setup_host: /, "") ?? ""
    );
  },
};
