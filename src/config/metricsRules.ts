import { type ConfigIssue, error, type Rule, warning } from "./configIssue.js";

const needsNetwork: Rule = ({ metrics }) =>
  metrics.network === undefined
    ? error(
        "metrics.enabled",
        "nobody can read the metrics without a network that Prometheus is on",
        "Set metrics.network to the overlay network of your Prometheus.",
      )
    : undefined;

/** What is on that network can read the metrics. */
const hasNetworkOfItsOwn: Rule = ({ expose, metrics, networks, traefik }) => {
  const owner =
    metrics.network === networks.internal
      ? "the stack's own network"
      : expose === "traefik" && metrics.network === traefik.network
        ? "Traefik's network"
        : undefined;
  return owner === undefined
    ? undefined
    : error(
        "metrics.network",
        `${metrics.network} is ${owner}, and everything on it could read the metrics`,
        "Give Prometheus a network of its own: docker network create --driver overlay monitoring",
      );
};

const debugServerIsOurs: Rule = ({ registry }) => {
  const name = Object.keys(registry.env).find((variable) => /^REGISTRY_HTTP_DEBUG(?:_|$)/.test(variable));
  return name === undefined
    ? undefined
    : error(
        ["registry", "env", name],
        `${name} would move the metrics away from where they are asked for`,
        "Remove it: metrics.enabled: true sets up the registry's debug server.",
      );
};

const bucketHasNoDisk: Rule = ({ metrics, registry: { storage } }) =>
  metrics.nodeExporters.length > 0 && storage.driver === "s3"
    ? warning(
        "metrics.nodeExporters",
        "the images are in a bucket, so there is no disk to look at",
        "Remove it.",
      )
    : undefined;

/** What is wrong with `metrics`, where it is on. */
export const metricsRule: Rule = (config): ConfigIssue[] =>
  config.metrics.enabled
    ? [needsNetwork, hasNetworkOfItsOwn, debugServerIsOurs, bucketHasNoDisk].flatMap(
        (rule) => rule(config) ?? [],
      )
    : [];
