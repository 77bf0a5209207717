import { hasRules } from "../access/repositoryRules.js";
import { type Config, publicUrls, readsFiles } from "../config/resolve.js";
import { fill } from "../render/fill.js";
import { gatewayAddress, readerAddress } from "./addresses.js";
import type { SecretMount, Service } from "./composeModel.js";
import {
  deploy,
  healthcheck,
  logging,
  openFiles,
  outerNetworks,
  publicConstraints,
  publicNetworks,
} from "./parts.js";
import { secretMount } from "./secretMounts.js";
import type { StackService } from "./stackService.js";
import { traefikLabels } from "./traefikLabels.js";

const UI_PORT = 80;

/** What distinguishes the two UIs: the public library, which reads, and the admin UI, which also deletes. */
interface Role {
  service: "registry-ui" | "registry-admin";
  host: string;
  title: string;
  methods: readonly string[];
  sso: boolean;
  /** Where its nginx sends requests. */
  upstream: string;
  networks: string[];
  /** The secret with which it does, where it has one. */
  secrets?: SecretMount[];
}

/** What a library needs: reading. Neither Traefik nor the UI's own nginx passes anything else. */
const READ_METHODS = ["GET", "HEAD", "OPTIONS"] as const;

/** What a UI says to the gateway. Its start script (90-docker-registry-ui.sh) reads it there. */
const account = (kind: "ui" | "library") => secretMount(kind, "/etc/nginx/.env", "0:0");

const ADMIN_METHODS = [...READ_METHODS, "DELETE"] as const;

/** Whether the library needs an account: the gateway asks it for a login, and no rule says who sees what. */
export const hasLibraryAccount = (config: Config): boolean =>
  config.ui.enabled && config.registry.pull === "authenticated" && !hasRules(config) && readsFiles(config);

/**
 * The service `registry-ui`: a read-only library. Where rules restrict who may read, it asks the gateway
 * without a credential, and shows what anyone may pull. Else it shows everything: by the reader, or, without
 * one, by the gateway. If that wants a login for every pull, the library has an account.
 */
export function registryUi(config: Config): StackService | undefined {
  const { enabled, host, title, access } = config.ui;
  if (!enabled) return undefined;
  return uiService(config, {
    service: "registry-ui",
    host,
    title,
    methods: READ_METHODS,
    sso: access === "sso",
    ...(hasRules(config) || readsFiles(config)
      ? { upstream: gatewayAddress(config), networks: outerNetworks(config) }
      : { upstream: readerAddress(config), networks: publicNetworks(config) }),
    ...(hasLibraryAccount(config) ? { secrets: [account("library")] } : {}),
  });
}

/**
 * The service `registry-admin`: the same with deletion, always behind Authelia. It asks the gateway, which
 * lets nobody push with its account, and the registry is not on a network that this service is on.
 */
export function registryAdmin(config: Config): StackService | undefined {
  const { admin, title } = config.ui;
  if (!admin.enabled) return undefined;
  return uiService(config, {
    service: "registry-admin",
    host: admin.host,
    title: `${title} (admin)`,
    methods: ADMIN_METHODS,
    sso: true,
    upstream: gatewayAddress(config),
    networks: outerNetworks(config),
    secrets: [account("ui")],
  });
}

const uiService = (config: Config, role: Role): StackService => ({
  service: service(config, role),
  files: ({ templates, header }) => ({
    [role.service]: {
      path: `${role.service}/methods.conf`,
      text: fill(templates.registryUi, {
        header,
        service: role.service,
        methods: role.methods,
        list: role.methods.join(", "),
      }),
    },
  }),
});

/** joxit/docker-registry-ui. Its nginx serves the page, and passes the page's questions on. */
function service(config: Config, role: Role): Service {
  const behindTraefik = config.expose === "traefik";
  const route = {
    name: `${config.stack}-${role.service}`,
    host: role.host,
    port: UI_PORT,
    healthPath: "/",
    methods: role.methods,
    sso: role.sso,
  };
  return {
    image: config.ui.image,
    environment: {
      SINGLE_REGISTRY: "true",
      REGISTRY_TITLE: role.title,
      PULL_URL: publicUrls(config).registry.replace(/^https?:\/\//, ""),
      NGINX_PROXY_PASS_URL: `http://${role.upstream}`,
      // Docker's answers are good for 10 minutes. A virtual address stays; addresses of tasks do not.
      NGINX_RESOLVER: config.swarm.endpointMode === "dnsrr" ? "127.0.0.11 valid=1s" : "127.0.0.11",
      DELETE_IMAGES: String(role.methods.includes("DELETE")),
      SHOW_CONTENT_DIGEST: "true",
      SHOW_CATALOG_NB_TAGS: "true",
      // It calls out to the internet otherwise.
      ENABLE_VERSION_NOTIFICATION: "false",
    },
    networks: role.networks,
    ...(behindTraefik
      ? {}
      : { ports: [{ target: UI_PORT, published: config.ports.ui, protocol: "tcp", mode: "host" }] }),
    // The second lock behind Traefik's method rule: this nginx refuses other methods by itself.
    configs: [{ source: role.service, target: "/etc/nginx/conf.d/00-methods.conf" }],
    ...(role.secrets ? { secrets: role.secrets } : {}),
    ulimits: openFiles(),
    // No read-only root: the image's start script writes its own pages and nginx files, which belong to user
    // nginx.
    cap_drop: ["ALL"],
    cap_add: ["CHOWN", "DAC_OVERRIDE", "FOWNER", "NET_BIND_SERVICE", "SETGID", "SETUID"],
    healthcheck: healthcheck(config, `http://127.0.0.1:${UI_PORT}/`),
    stop_signal: "SIGQUIT",
    stop_grace_period: "20s",
    logging: logging(),
    deploy: deploy(config, {
      replicas: 1,
      placement: { constraints: publicConstraints(config) },
      resources: config.ui.resources,
      startFirst: behindTraefik,
      ...(behindTraefik ? { labels: traefikLabels(config, route) } : {}),
    }),
  };
}
