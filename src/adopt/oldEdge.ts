import { hostsOf, type Router, routersIn } from "../services/traefikLabels.js";
import type { OldService } from "./oldService.js";

/** What Traefik's labels say of one old service. */
export interface OldRoute {
  host: string;
  router: Router;
  /** Settings of the router that are its own, such as tls.options. */
  settings: Record<string, string>;
  tls: boolean;
  certResolver: string | undefined;
}

/** What was not carried, and why. */
export interface LeftOut {
  what: string;
  why: string;
}

/** Traefik's labels, whose names it reads without regard to case. */
const SETTING = /^traefik\.http\.routers\.([^.]+)\.(.+)$/i;

/** Settings that the config has keys for, or that the stack makes. */
const HAS_KEY = /^(?:rule|entrypoints|tls|tls\.certresolver|middlewares|service)$/i;

/**
 * The route that people use: with several, one with TLS before a redirection to it.
 *
 * @returns undefined if no router names a host
 */
export function routeOf({ labels }: OldService): OldRoute | undefined {
  const routes = routersIn(labels).flatMap((router) => {
    const [host] = hostsOf(router.rule);
    if (host === undefined || labels["traefik.enable"] === "false") return [];
    const mine = Object.entries(labels).flatMap(([label, value]) => {
      const [, name, key = ""] = SETTING.exec(label) ?? [];
      return name === router.name ? [[key, value] as const] : [];
    });
    const settingOf = (wanted: string) => mine.find(([key]) => key.toLowerCase() === wanted)?.[1];
    const certResolver = settingOf("tls.certresolver");
    const tls = mine.some(([key, value]) => /^tls(?:\.|$)/i.test(key) && value !== "false");
    const settings = Object.fromEntries(mine.filter(([key]) => !HAS_KEY.test(key)));
    return [{ host, router, settings, tls, certResolver }];
  });
  return routes.find(({ tls }) => tls) ?? routes.find(({ router }) => isSecure(router)) ?? routes[0];
}

const isSecure = ({ entrypoints }: Router): boolean =>
  entrypoints.some((name) => /secure|https|443/i.test(name));

/** The first entrypoint that looks like the one of https. */
export const entrypointOf = ({ router }: OldRoute): string | undefined =>
  router.entrypoints.find((name) => isSecure({ ...router, entrypoints: [name] })) ?? router.entrypoints[0];

/** Whether TLS ends at Traefik: a router of an entrypoint for https may leave it to the entrypoint. */
export const hasTls = (route: OldRoute): boolean => route.tls || isSecure(route.router);

/** Names of the middlewares that labels define, in the same namespace. */
const definedIn = (labels: Readonly<Record<string, string>>): Map<string, string> =>
  new Map(
    Object.keys(labels).flatMap((label) => {
      const [, name, type = ""] = /^traefik\.http\.middlewares\.([^.]+)\.([^.]+)/i.exec(label) ?? [];
      return name === undefined ? [] : [[name, type.toLowerCase()] as const];
    }),
  );

/** A middleware that asks Authelia, by its name or by what labels say of it. */
export interface OldMiddlewares {
  authelia: string | undefined;
  kept: string[];
  left: LeftOut[];
}

/** The middlewares of a route: those of other places are kept, and what labels define here is not. */
export function middlewaresOf(
  { router }: OldRoute,
  labels: Readonly<Record<string, string>>,
): OldMiddlewares {
  const defined = definedIn(labels);
  const nameOf = (reference: string) => reference.replace(/@.*$/, "");
  const addressOf = (reference: string) =>
    Object.entries(labels).find(
      ([label]) =>
        label.toLowerCase() ===
        `traefik.http.middlewares.${nameOf(reference)}.forwardauth.address`.toLowerCase(),
    )?.[1];
  const asks = (reference: string) =>
    /authelia/i.test(reference) || defined.get(nameOf(reference)) === "forwardauth";
  const authelia = router.middlewares.find(asks);
  const others = router.middlewares.filter((reference) => !asks(reference));
  const kept = others.filter((reference) => !defined.has(nameOf(reference)));
  const left = others
    .filter((reference) => defined.has(nameOf(reference)))
    .map((reference) => ({
      what: `the middleware ${reference} (${defined.get(nameOf(reference))})`,
      why: "the labels of the old services define it; define it in a file of Traefik, and name it in traefik.middlewares",
    }));
  return { authelia: authelia && (addressOf(authelia) ?? authelia), kept, left };
}

/** Labels that say nothing of Traefik's routers: what a constraint asks for, or a tool of the operator's own. */
export const ownLabels = ({ labels }: OldService): Record<string, string> =>
  Object.fromEntries(
    Object.entries(labels).filter(
      ([label]) =>
        !/^(?:traefik\.(?:enable|http|tcp|udp|docker|swarm)|com\.docker|org\.opencontainers)\b/i.test(label),
    ),
  );
