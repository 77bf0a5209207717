import { readOnlyUntil } from "../../deployment/maintenance.js";
import { oldMarkers, unusedConfigs } from "../../swarm/leftovers.js";
import type { Check } from "../check.js";
import { judgeConfigs, judgeHelpers, judgeLock, judgeReadOnly } from "../leftovers.js";

const lock: Check = {
  id: "lock",
  title: "lock",
  theme: "Leftovers",
  needs: "manager",
  run: async ({ config, lock }) => judgeLock(config.stack, await lock()),
};

const readOnly: Check = {
  id: "read-only",
  title: "maintenance",
  theme: "Leftovers",
  needs: "manager",
  run: async ({ config, bareServices, isLocked }) =>
    judgeReadOnly(readOnlyUntil(await bareServices(), config.stack), await isLocked(), new Date()),
};

const helpers: Check = {
  id: "helpers",
  title: "helper services",
  theme: "Leftovers",
  needs: "manager",
  onlyAtRest: true,
  run: async ({ helpers }) => judgeHelpers(await helpers()),
};

const configs: Check = {
  id: "configs",
  title: "old configs",
  theme: "Leftovers",
  needs: "manager",
  onlyAtRest: true,
  run: async ({ config, docker, bareServices, secrets }) => {
    const generations = (await secrets()).map(({ generation }) => generation);
    return judgeConfigs([
      ...(await unusedConfigs(docker, config.stack, await bareServices())),
      ...(await oldMarkers(docker, config.stack, generations)),
    ]);
  },
};

/** What broken runs left. */
export const LEFTOVERS_CHECKS: readonly Check[] = [lock, readOnly, helpers, configs];
