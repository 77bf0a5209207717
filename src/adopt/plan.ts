import { registryImage } from "../config/initialConfig.js";
import { registryLine } from "../config/resolve.js";
import { type LeftOut, routeOf } from "./oldEdge.js";
import type { OldService } from "./oldService.js";
import { authOf, registrySettings } from "./oldSettings.js";
import { storageOf } from "./oldStorage.js";
import { edgeOf } from "./planEdge.js";
import type { Surroundings } from "./surroundings.js";

/** Where the users of the old registry are. */
interface OldUsers {
  /** In words, such as "the secret registry_htpasswd". */
  from: string;
  /** The file in the container. */
  path: string;
}

/** How an old registry becomes a stack. Nothing in it is a secret. */
export interface AdoptPlan {
  /** Names of the old services: the registry, then its UI. */
  services: string[];
  /** What hephaestus.yaml says. */
  config: Record<string, unknown>;
  /** Undefined if the registry asks nobody for a password. */
  users: OldUsers | undefined;
  leftOut: LeftOut[];
  /** What hephaestus.yaml still needs from a person. */
  toDo: string[];
  /** Why it cannot be adopted; empty if it can. */
  refused: string[];
}

const lastWord = (image: string): string => image.replace(/^.*\//, "").replace(/[:@].*$/, "");

/** An image of Docker's registry: registry, distribution, docker-registry. */
const REGISTRY = /^(?:registry|distribution|docker-registry|registry-server)$/;

const UI =
  /^(?:docker-registry-ui|docker-registry-frontend|docker-registry-browser|docker-registry-web|registry-ui)$/;

/** Whether a service is a registry for certain: by its image, or its settings. */
export const isRegistry = ({ image, environment }: OldService): boolean =>
  REGISTRY.test(lastWord(image)) ||
  Object.keys(environment).some((name) => /^REGISTRY_(?:STORAGE|AUTH|HTTP)(?:_|$)/.test(name));

/** Whether it may be one, of an image of somebody's own: by the registry's port. */
export const hasRegistryPort = ({ image, labels, ports }: OldService): boolean =>
  !UI.test(lastWord(image)) &&
  (ports.some(({ target }) => target === 5000) ||
    Object.entries(labels).some(
      ([label, value]) => /\.loadbalancer\.server\.port$/i.test(label) && value === "5000",
    ));

export const isUi = ({ image }: OldService): boolean => UI.test(lastWord(image));

/**
 * Plans the adoption of a registry and its UI. Pure.
 *
 * @param ui the UI beside it, if there is one
 */
export function planAdoption(
  registry: OldService,
  ui: OldService | undefined,
  surroundings: Surroundings,
): AdoptPlan {
  const settings = registrySettings(registry.environment, surroundings.configText);
  const { storage, left, refused } = storageOf(registry, settings);
  const users = usersOf(registry, settings);
  const edge = edgeOf(registry, ui, surroundings);
  const image = imageOf(registry.image, storage?.driver === "s3");
  const { environment, ignored } = environmentOf(settings);
  const isNumeric = /^\d+:\d+$/.test(registry.user);
  const constraints =
    registry.constraints.length > 0
      ? [...registry.constraints]
      : surroundings.node === undefined
        ? undefined
        : [`node.hostname == ${surroundings.node}`];
  const config = {
    version: 1,
    stack: surroundings.stack,
    ...edge.config,
    ...(surroundings.dnsrr ? { swarm: { endpointMode: "dnsrr" } } : {}),
    registry: {
      ...image.config,
      ...edge.registry,
      // Who had to log in before a pull still has to.
      ...(users === undefined ? {} : { pull: "authenticated" }),
      ...(settings.REGISTRY_STORAGE_DELETE_ENABLED === "true" ? { delete: true } : {}),
      ...(storage === undefined ? {} : { storage }),
      ...(isNumeric ? { user: registry.user } : {}),
      ...(constraints === undefined ? {} : { placement: { constraints } }),
      ...(Object.keys(environment).length > 0 ? { env: environment } : {}),
    },
    ui: uiOf(ui, edge.ui),
  };
  return {
    services: [registry.name, ...(ui === undefined ? [] : [ui.name])],
    config,
    users,
    leftOut: [...left, ...image.left, ...edge.left, ...ignored, ...leftOfUi(ui)],
    toDo: [],
    refused: [...refused, ...refusedBy(settings)],
  };
}

/** Settings with which a registry is something else than what hephaestus runs. */
function refusedBy(settings: Readonly<Record<string, string>>): string[] {
  const auth = authOf(settings);
  return [
    ...(settings.REGISTRY_PROXY_REMOTEURL
      ? [
          `it is a pull-through cache of ${hostOf(settings.REGISTRY_PROXY_REMOTEURL)}: it takes no pushes, so there is nothing of its own to keep. See the key mirror`,
        ]
      : []),
    ...(auth === "htpasswd" || auth === "none"
      ? []
      : [
          auth === "token"
            ? "its users are those of a token server (REGISTRY_AUTH=token), which gives out rights that no htpasswd holds. Deploy a new stack, and give the users passwords: hephaestus user add"
            : `its users log in by ${auth}, which holds no passwords that could be kept`,
        ]),
    ...(settings.REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED === "true"
      ? ["it is in read-only mode; end that first, or it would take pushes after the adoption"]
      : []),
  ];
}

/** An address without what may be a login in it. */
const hostOf = (url: string): string => /^\w+:\/\/(?:[^@/]*@)?([^/]+)/.exec(url)?.[1] ?? "another registry";

/** Where the htpasswd is in the container, and what brings it there. */
function usersOf(
  { files, mounts }: OldService,
  settings: Readonly<Record<string, string>>,
): OldUsers | undefined {
  if (authOf(settings) !== "htpasswd") return undefined;
  const path = settings.REGISTRY_AUTH_HTPASSWD_PATH ?? "";
  const file = files.find(({ target }) => target === path);
  const mount = mounts.find(({ target }) => path === target || path.startsWith(`${target}/`));
  if (file !== undefined) return { from: `the ${file.kind} ${file.name}`, path };
  if (mount === undefined) return { from: "a file that the task writes when it starts", path };
  return {
    from: mount.type === "bind" ? `the folder or file ${mount.source}` : `the volume ${mount.source}`,
    path,
  };
}

/** The image, if its line is known; with a bucket the one that lists it rightly. */
function imageOf(image: string, hasBucket: boolean): { config: Record<string, unknown>; left: LeftOut[] } {
  const line = registryLine(image);
  const replaced = (by: string, why: string) => ({
    config: { image: by },
    left: [{ what: `the image ${image}`, why: `${why}; ${by} takes its place` }],
  });
  if (hasBucket && line !== 3)
    return replaced(registryImage(3), "line 2 hides tags on S3 (distribution#4891)");
  if (/(?:^|\/)distribution\/distribution:(?:edge|latest)?$/.test(image) || line === undefined)
    return replaced(registryImage(2), "its tag does not say which line it is");
  return { config: { image }, left: [] };
}

/** Settings that the stack makes itself, and those that need a key of the config. */
const MADE: readonly (readonly [RegExp, string | undefined])[] = [
  [/^REGISTRY_(?:AUTH|STORAGE)(?:$|_(?:HTPASSWD|FILESYSTEM_ROOTDIRECTORY|S3|DELETE|MAINTENANCE))/, undefined],
  [
    /^REGISTRY_STORAGE_CACHE|^REGISTRY_(?:VERSION|HTTP_ADDR|HTTP_NET|HTTP_DRAINTIMEOUT|HEALTH|CATALOG)/,
    undefined,
  ],
  [/^REGISTRY_HTTP_SECRET$/, "the stack makes one of its own; an upload that is under way starts again"],
  [/^REGISTRY_HTTP_HEADERS/, "the library is on the host of the UI and needs no CORS headers"],
  [/^REGISTRY_HTTP_HOST$/, "the gateway takes the host from the request"],
  [/^REGISTRY_HTTP_TLS/, "TLS ends at Traefik; with ports the stack speaks plain HTTP"],
  [/^REGISTRY_(?:REDIS|MIDDLEWARE)/, "the stack runs without it"],
  [/^REGISTRY_NOTIFICATIONS_ENDPOINTS/, "write the receivers under notifications"],
  [/^REGISTRY_PROXY/, undefined],
  [/^(?:PATH|LD_.*|HOME|HOSTNAME)$/, undefined],
];

function environmentOf(settings: Readonly<Record<string, string>>) {
  const entries = Object.entries(settings).map(([name, value]) => ({
    name,
    value,
    made: MADE.find(([pattern]) => pattern.test(name)),
  }));
  return {
    environment: Object.fromEntries(
      entries.filter(({ made }) => made === undefined).map(({ name, value }) => [name, value]),
    ),
    ignored: entries.flatMap(({ name, made }) =>
      made?.[1] === undefined ? [] : [{ what: name, why: made[1] }],
    ),
  };
}

/** Whether a UI is of the kind and line that the library has. */
const isJoxit = ({ image }: OldService): boolean =>
  lastWord(image) === "docker-registry-ui" && /:2\.\d/.test(image);

function uiOf(
  ui: OldService | undefined,
  edge: Record<string, unknown> | undefined,
): Record<string, unknown> {
  if (ui === undefined || edge === undefined) return { enabled: false };
  const { REGISTRY_TITLE: title } = ui.environment;
  return { ...(isJoxit(ui) ? { image: ui.image } : {}), ...edge, ...(title ? { title } : {}) };
}

function leftOfUi(ui: OldService | undefined): LeftOut[] {
  if (ui === undefined) return [];
  const names = Object.keys(ui.environment);
  return [
    ...(isJoxit(ui)
      ? []
      : [{ what: `the image ${ui.image}`, why: "the library is joxit/docker-registry-ui 2.x" }]),
    ...(routeOf(ui) === undefined && ui.ports.length === 0
      ? [{ what: `the UI ${ui.name}`, why: "nothing says how it is reached" }]
      : []),
    ...(names.some((name) => /authorization|basic_auth|password/i.test(name))
      ? [
          {
            what: "the login in the environment of the UI",
            why: "the library reads with an account of its own",
          },
        ]
      : []),
    ...(ui.environment.DELETE_IMAGES === "true"
      ? [
          {
            what: "DELETE_IMAGES of the UI",
            why: "the library only reads; ui.admin.enabled adds one that deletes, behind Authelia",
          },
        ]
      : []),
  ];
}
