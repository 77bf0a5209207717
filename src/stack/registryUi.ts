import { type Config, publicUrls } from "../config/resolve.js";
import type { Service } from "./compose.js";
import { registryAddress } from "./registry.js";
import { secretMount } from "./secrets.js";
import { deploy, healthcheck, logging, publicNetworks } from "./service.js";
import { traefikLabels } from "./traefik.js";

const UI_PORT = 80;

/** What a library needs: reading. Traefik passes nothing else on the UI's host. */
export const READ_METHODS = ["GET", "HEAD", "OPTIONS"] as const;

/**
 * The service `registry-ui`: joxit/docker-registry-ui as a read-only library. Its nginx asks the registry itself,
 * with a credential that it reads from the secret at /etc/nginx/.env (its start script, 90-docker-registry-ui.sh).
 */
export function registryUiService(config: Config): Service {
  const { ui } = config;
  const behindTraefik = config.expose === "traefik";
  const route = {
    name: `${config.stack}-registry-ui`,
    host: ui.host,
    port: UI_PORT,
    healthPath: "/",
    methods: READ_METHODS,
    sso: ui.access === "sso",
  };
  return {
    image: ui.image,
    environment: {
      SINGLE_REGISTRY: "true",
      REGISTRY_TITLE: ui.title,
      PULL_URL: publicUrls(config).registry.replace(/^https?:\/\//, ""),
      NGINX_PROXY_PASS_URL: `http://${registryAddress(config)}`,
      NGINX_RESOLVER: "127.0.0.11",
      DELETE_IMAGES: "false",
      SHOW_CONTENT_DIGEST: "true",
      SHOW_CATALOG_NB_TAGS: "true",
      // It calls out to the internet otherwise.
      ENABLE_VERSION_NOTIFICATION: "false",
    },
    networks: publicNetworks(config),
    ...(behindTraefik
      ? {}
      : { ports: [{ target: UI_PORT, published: config.ports.ui, protocol: "tcp", mode: "host" }] }),
    // The second lock behind Traefik's method rule: this nginx refuses writes by itself.
    configs: [{ source: "registry-ui", target: "/etc/nginx/conf.d/00-read-only.conf" }],
    secrets: [secretMount("ui", "/etc/nginx/.env", "0:0")],
    // No read-only root: the image's start script writes its own pages and nginx files, which belong to user nginx.
    cap_drop: ["ALL"],
    cap_add: ["CHOWN", "DAC_OVERRIDE", "FOWNER", "NET_BIND_SERVICE", "SETGID", "SETUID"],
    healthcheck: healthcheck(`http://127.0.0.1:${UI_PORT}/`),
    stop_signal: "SIGQUIT",
    stop_grace_period: "20s",
    logging: logging(),
    deploy: deploy(config, {
      replicas: 1,
      placement: { constraints: [] },
      resources: ui.resources,
      startFirst: behindTraefik,
      ...(behindTraefik ? { labels: traefikLabels(config, route) } : {}),
    }),
  };
}
