import { secretsOf, serviceNames } from "../../stack/model.js";
import { readStorage } from "../../swarm/disk.js";
import { judgeNamespace, readForeign } from "../../swarm/ownership.js";
import type { Check } from "../check.js";
import { judgeAge, judgeHandOver, judgeRegistryEnvironment, judgeSecretUse } from "../credentials.js";
import { judgeDrift } from "../drift.js";
import { judgeStorage } from "../room.js";
import { judgeServices } from "../services.js";

const services: Check = {
  id: "services",
  title: "services, tasks and updates",
  theme: "Services",
  needs: "manager",
  run: async ({ config, services, engine }) =>
    judgeServices(config.stack, serviceNames(config), await services(), (await engine()).clock.there),
};

const namespace: Check = {
  id: "namespace",
  title: "name of the stack",
  theme: "Services",
  needs: "manager",
  run: async ({ config, docker }) => judgeNamespace(config.stack, await readForeign(docker, config.stack)),
};

const drift: Check = {
  id: "drift",
  title: "settings of the services",
  theme: "Services",
  needs: "manager",
  onlyAtRest: true,
  run: async ({ config, differences }) => judgeDrift(config.stack, await differences()),
};

const secretUse: Check = {
  id: "secrets",
  title: "secrets of the services",
  theme: "Passwords and access",
  needs: "manager",
  // Somebody who rotates has two generations for a while.
  onlyAtRest: true,
  run: async ({ config, bareServices, secretReports }) =>
    judgeSecretUse(config.stack, secretsOf(config), await bareServices(), await secretReports()),
};

const handOver: Check = {
  id: "hand-over",
  title: "passwords that nobody knows",
  theme: "Passwords and access",
  needs: "manager",
  onlyAtRest: true,
  run: async ({ htpasswd, handedOver }) => judgeHandOver(await htpasswd(), await handedOver()),
};

const ages: Check = {
  id: "ages",
  title: "ages of passwords",
  theme: "Passwords and access",
  needs: "manager",
  applies: ({ credentials }) => credentials.maxAge !== undefined,
  run: async ({ config, htpasswd }) => judgeAge(config.credentials.maxAge, await htpasswd(), new Date()),
};

const authentication: Check = {
  id: "authentication",
  title: "authentication of the registry",
  theme: "Passwords and access",
  needs: "manager",
  run: async ({ service }) => judgeRegistryEnvironment(await service("registry")),
};

const storage: Check = {
  id: "storage",
  title: "storage",
  theme: "Storage",
  needs: "manager",
  run: async ({ config, docker, services }) => {
    const { storage, user } = config.registry;
    const registry = (await services()).find(
      ({ service }) => service.Spec.Name === `${config.stack}_registry`,
    );
    const seen = await readStorage(docker, config.stack);
    return judgeStorage(storage.path, user, seen, registry?.tasks ?? []);
  },
};

/** What runs. */
export const STACK_CHECKS: readonly Check[] = [
  services,
  namespace,
  drift,
  secretUse,
  handOver,
  ages,
  authentication,
  storage,
];
