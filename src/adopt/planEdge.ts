import {
  entrypointOf,
  hasTls,
  type LeftOut,
  middlewaresOf,
  type OldRoute,
  ownLabels,
  routeOf,
} from "./oldEdge.js";
import type { OldService } from "./oldService.js";
import type { Surroundings } from "./surroundings.js";

/** Host names, Traefik and ports. */
export function edgeOf(registry: OldService, ui: OldService | undefined, surroundings: Surroundings) {
  const route = routeOf(registry);
  const uiRoute = ui && routeOf(ui);
  if (route === undefined) return portsOf(registry, ui, surroundings);
  const domain = surroundings.domain ?? domainOf(route.host);
  const labels = { ...ui?.labels, ...registry.labels };
  const middlewares = middlewaresOf(route, labels);
  const uiMiddlewares = uiRoute && middlewaresOf(uiRoute, labels);
  const hostKey = (host: string, usual: string) => (host === `${usual}.${domain}` ? {} : { host });
  const entrypoint = entrypointOf(route);
  const tls = hasTls(route);
  const kept = middlewares.kept.filter((name) => uiRoute === undefined || uiMiddlewares?.kept.includes(name));
  const traefik = {
    version: surroundings.traefik ?? lineOf(labels),
    ...keyed("network", networkOf(registry, labels, surroundings.traefikNetworks)),
    ...(tls ? {} : { tls: false }),
    ...keyed("entrypoint", entrypoint === (tls ? "websecure" : "web") ? undefined : entrypoint),
    ...keyed("certResolver", route.certResolver),
    ...(kept.length > 0 ? { middlewares: kept } : {}),
    ...(Object.keys(ownLabels(registry)).length > 0 ? { labels: ownLabels(registry) } : {}),
    ...(Object.keys(route.settings).length > 0 ? { routerLabels: route.settings } : {}),
  };
  const authelia = uiMiddlewares?.authelia;
  return {
    config: { domain, traefik, ...(authelia === undefined ? {} : { authelia: { middleware: authelia } }) },
    registry: hostKey(route.host, "registry"),
    ui: uiRoute && {
      ...hostKey(uiRoute.host, "registry-ui"),
      ...(authelia === undefined ? {} : { access: "sso" }),
    },
    left: [
      ...middlewares.left,
      ...(uiMiddlewares?.left ?? []),
      ...[...middlewares.kept, ...(uiMiddlewares?.kept ?? [])]
        .filter((name) => !kept.includes(name))
        .map((name) => ({
          what: `the middleware ${name}`,
          why: "it is on one router alone, and traefik.middlewares go to each",
        })),
      ...(middlewares.authelia === undefined
        ? []
        : [
            {
              what: `the middleware ${middlewares.authelia} in front of the registry`,
              why: "Docker's clients cannot log in at Authelia; the gateway asks for their passwords",
            },
          ]),
      ...morePlaces(route),
      ...portsLeft([registry, ...(ui ? [ui] : [])]),
    ],
  };
}

const keyed = (key: string, value: string | undefined) => (value === undefined ? {} : { [key]: value });

/** registry.example.com is of example.com. */
const domainOf = (host: string): string => (host.split(".").length > 1 ? host.replace(/^[^.]+\./, "") : host);

function lineOf(labels: Readonly<Record<string, string>>): 2 | 3 {
  const names = Object.keys(labels);
  return names.some((name) => /^traefik\.docker\./i.test(name)) &&
    !names.some((name) => /^traefik\.swarm\./i.test(name))
    ? 2
    : 3;
}

/** The network on which Traefik is: by the label, by where Traefik is, or the one that the stack did not make. */
function networkOf(
  { networks }: OldService,
  labels: Readonly<Record<string, string>>,
  ofTraefik: readonly string[] = [],
): string | undefined {
  const label = Object.entries(labels).find(([name]) => /^traefik\.(?:docker|swarm)\.network$/i.test(name));
  if (label !== undefined) return label[1];
  const shared = networks.find(({ name }) => ofTraefik.includes(name));
  return (shared ?? networks.find(({ external }) => external))?.name;
}

function morePlaces({ router, host }: OldRoute): LeftOut[] {
  const hosts = [...router.rule.matchAll(/[`"]([\w.-]+\.\w+)[`"]/g)].map(([, name = ""]) =>
    name.toLowerCase(),
  );
  return [
    ...hosts
      .filter((name) => name !== host)
      .map((name) => ({ what: `the host name ${name}`, why: "the registry has one host name" })),
    ...(/\b(?:PathPrefix|Path|Headers?|Query|ClientIP)\(/.test(router.rule)
      ? [{ what: `the rule ${router.rule}`, why: "the router of the stack asks for the host alone" }]
      : []),
  ];
}

const portsLeft = (services: readonly OldService[]): LeftOut[] =>
  services.flatMap(({ ports }) =>
    ports.map(({ published }) => ({
      what: `the published port ${published}`,
      why: "behind Traefik the stack publishes none",
    })),
  );

function portsOf(registry: OldService, ui: OldService | undefined, { domain }: Surroundings) {
  const [port] = registry.ports;
  const [uiPort] = ui?.ports ?? [];
  return {
    config: {
      domain: domain ?? "localhost",
      expose: "ports",
      ports: { registry: port?.published ?? 5000, ...(uiPort === undefined ? {} : { ui: uiPort.published }) },
    },
    registry: {},
    ui: {},
    left: [
      ...(port === undefined
        ? [
            {
              what: "its address",
              why: "no label of Traefik and no published port says how it is reached; look at expose",
            },
          ]
        : []),
      ...Object.keys(ownLabels(registry)).map((label) => ({
        what: `the label ${label}`,
        why: "only services behind Traefik take labels",
      })),
    ],
  };
}
