import { expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import { PLAN_STEPS } from "../../src/deploy/planSteps.js";
import { prepareHost } from "../../src/deploy/prepareHost.js";
import type { DeployContext } from "../../src/operation/context.js";

test.each([
  [
    "the images are in a bucket",
    "image: registry:3.1.2, storage: { driver: s3, bucket: images, region: eu-central-1 }",
    true,
  ],
  ["--skip-host-setup", "storage: { path: /srv/images }", false],
  [undefined, "storage: { path: /srv/images }", true],
])("a deploy and its dry run leave out the host for the same reason: %s", (reason, registry, hostSetup) => {
  const { config } = loadConfig(`domain: example.com\nregistry: { ${registry} }`, "a config", {});
  const context = { config, options: { hostSetup } } as DeployContext;
  const [plan] = PLAN_STEPS.filter(({ id }) => id === "setup-host");
  const step = prepareHost({} as Parameters<typeof prepareHost>[0]);
  expect([step.skip?.(context), plan?.skip?.(context)]).toEqual([reason, reason]);
});
