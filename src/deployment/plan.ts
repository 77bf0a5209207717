import { HTPASSWD, secretName } from "../credentials/names.js";
import { setupHost } from "../host/setupHost.js";
import { stackSecretNames } from "../swarm/secrets.js";
import { coloursFor } from "../terminal/colours.js";
import { differenceLines } from "../terminal/differences.js";
import type { Step } from "./context.js";
import { serviceDifferences } from "./differences.js";
import { describeChange } from "./steps.js";

/** What would become of the secrets. */
export const planSecrets: Step = {
  id: "secrets",
  title: "Secrets",
  async run({ config, docker, generations: { people }, change }) {
    const names = await stackSecretNames(docker, config.stack);
    if (names.includes(secretName(config.stack, HTPASSWD, people)))
      return `generation ${people} would be kept`;
    return [`generation ${people} would be created`, change && describeChange(change)]
      .filter(Boolean)
      .join(": ");
  },
};

/** The steps of --dry-run: each says what the real one would do, and touches nothing. */
export const PLAN_STEPS: readonly Step[] = [
  {
    id: "setup-host",
    title: "Host",
    skip: ({ options }) => (options.hostSetup ? undefined : "--skip-host-setup"),
    async run({ config, host }) {
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
      const lines = differenceLines(differences, coloursFor(process.stderr));
      return `would change\n${lines.join("\n")}`;
    },
  },
];
