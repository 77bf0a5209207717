import { differenceLines } from "../diff/differenceLines.js";
import { serviceDifferences } from "../diff/serviceDifferences.js";
import { setupHost } from "../host/setupHost.js";
import type { Step } from "../operation/context.js";
import { planSecrets } from "../users/secretSteps.js";
import { hostSkip } from "./prepareHost.js";

/** The steps of --dry-run: each says what the real step would do, and changes nothing. */
export const PLAN_STEPS: readonly Step[] = [
  {
    id: "setup-host",
    title: "Host",
    skip: hostSkip,
    async run({ config, host, storageHost }) {
      if (storageHost) return `would prepare ${storageHost.hostname} with a Swarm job`;
      const { ready, output } = await setupHost(config, host, true);
      return ready ? "ready" : `would prepare it: ${output.split("\n").join("; ")}`;
    },
  },
  planSecrets,
  {
    id: "rollout",
    title: "Stack",
    async run(context) {
      const differences = await serviceDifferences(context, context.options.resolveImage);
      if (differences.length === 0) return "nothing would change";
      const lines = differenceLines(differences);
      return `would change\n${lines.join("\n")}`;
    },
  },
];
