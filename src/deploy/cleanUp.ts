import { wantedServices } from "../diff/composedService.js";
import { engineDelete } from "../docker/engineApi.js";
import { removeOldSecrets } from "../secrets/removeSecrets.js";
import type { SecretsPlan } from "../secrets/secretsPlan.js";
import type { Session } from "../session.js";
import { removeOldConfigs } from "../swarm/leftovers.js";
import { stackServices } from "../swarm/objects.js";
import { type Ending, inStep, skipped } from "../terminal/inStep.js";

/**
 * Removes services that the config no longer has, secrets of older generations, and configs with older
 * content.
 */
export const cleanUp = (session: Session, keep: SecretsPlan["generations"]): Promise<Ending> =>
  inStep(session.reporter, { id: "clean-up", title: "Clean-up" }, async () => {
    const { config, docker, options } = session;
    if (!options.wait) return skipped("the rollout was not waited for");
    const wanted = wantedServices(session);
    const services = await stackServices(docker, config.stack);
    const extra = services.filter(({ Spec }) => !wanted.has(Spec.Name));
    const names = extra.map(({ Spec }) => Spec.Name);
    for (const name of names) await engineDelete(docker, `/services/${name}`);
    const rest = services.filter((service) => !extra.includes(service));
    const removed = [
      ...names,
      ...(await removeOldSecrets(docker, config.stack, keep)),
      ...(await removeOldConfigs(docker, config.stack, rest)),
    ];
    return removed.length === 0 ? "nothing left over" : `removed ${removed.join(", ")}`;
  });
