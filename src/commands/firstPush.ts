import { repositoryRules, rightsBy } from "../access/repositoryRules.js";
import type { Config } from "../config/resolve.js";
import type { TaggedImage } from "../swarm/engine.js";

/**
 * The commands of a first login, push and pull. They work as they stand if the engine has an image to push,
 * and the user may push it.
 *
 * @param host of the registry, with its port
 * @param images that the engine has; the smallest one is pushed
 */
export function firstPush(
  config: Config,
  host: string,
  user: string,
  images: readonly TaggedImage[],
): [login: string, push: string, pull: string] {
  const mayPush = rightsBy(repositoryRules(config));
  const [image] = images
    .map(({ name, size }) => ({ name, size, target: name.replace(/^.*\//, "") }))
    .filter(
      ({ name, target }) =>
        !name.startsWith(`${host}/`) && mayPush({ user }, target.replace(/:.*$/, "")).push,
    )
    .sort((a, b) => a.size - b.size || (a.name < b.name ? -1 : 1));
  const { name, target } = image ?? { name: "IMAGE", target: "REPOSITORY:TAG" };
  return [
    `docker login -u ${user} ${host}`,
    `docker tag ${name} ${host}/${target} && docker push ${host}/${target}`,
    `docker pull ${host}/${target}`,
  ];
}
