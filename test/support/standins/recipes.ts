/** What each stand-in image is made of. */
import type { GoProgram } from "../goPrograms.js";

export const STANDINS = {
  registry: "hephaestus-standin/registry:2.8.2",
  /** The real one, built from its Go module. */
  registry3: "hephaestus-standin/registry:3.1.2",
  nginx: "hephaestus-standin/nginx:1.30",
  ui: "hephaestus-standin/registry-ui:2.6.0",
  /** The real one, built from its Go module. */
  regsync: "hephaestus-standin/regsync:0.11.7",
  hello: "hephaestus-standin/hello:1",
} as const;

export type Standin = keyof typeof STANDINS;

interface ImageConfig {
  Entrypoint?: string[];
  Cmd: string[];
  Env?: string[];
  ExposedPorts?: Record<string, object>;
  Volumes?: Record<string, object>;
  StopSignal?: string;
}

export interface Recipe {
  /** Folders below `standins/` that are laid over the root, in this order. */
  overlays: string[];
  /** Packages whose shared libraries go in. */
  libraries: RegExp;
  /** File or folder in a package, and its place in the image. */
  programs: [packageName: string, from: string, to: string][];
  /** A program built from its Go module, and its place in the image. */
  goProgram?: [name: GoProgram, to: string];
  directories: string[];
  links: [target: string, path: string][];
  /** Paths that belong to nginx (101), as in the official images. */
  ownedByNginx: string[];
  /** What a container of the image starts with, in the words of the OCI image configuration. */
  config: ImageConfig;
}

/** The search path of the official images. */
export const PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Loaded by a config that needs it, below nginx's prefix as in the official image. */
const SCRIPT_MODULE = "usr/lib/nginx/modules/ngx_http_js_module.so";

/** Name of the folder that has the files of nginx and its libraries, beside those of the packages. */
export const NGINX_FOLDER = "unpacked-nginx";

const nginx: Recipe = {
  overlays: ["base", "nginx"],
  libraries: new RegExp(`^${NGINX_FOLDER}$`),
  programs: [
    [NGINX_FOLDER, "usr/sbin/nginx", "usr/sbin/nginx"],
    [NGINX_FOLDER, SCRIPT_MODULE, SCRIPT_MODULE],
    [NGINX_FOLDER, "etc/nginx/mime.types", "etc/nginx/mime.types"],
  ],
  directories: [
    "docker-entrypoint.d",
    "usr/lib/nginx/modules",
    "var/cache/nginx",
    "var/log/nginx",
    "var/lib",
  ],
  links: [
    ["/dev/stdout", "var/log/nginx/access.log"],
    ["/dev/stderr", "var/log/nginx/error.log"],
    // Debian's nginx keeps its temporary files here, the official one in /var/cache/nginx.
    ["/var/cache/nginx", "var/lib/nginx"],
    ["/usr/lib/nginx/modules", "usr/share/nginx/modules"],
  ],
  ownedByNginx: ["var/cache/nginx"],
  config: {
    Entrypoint: ["/docker-entrypoint.sh"],
    Cmd: ["nginx", "-g", "daemon off;"],
    ExposedPorts: { "80/tcp": {} },
    StopSignal: "SIGQUIT",
  },
};

export const RECIPES: Record<Standin, Recipe> = {
  registry: {
    overlays: ["base", "registry"],
    libraries: /^libc6$/,
    programs: [["docker-registry", "usr/bin/docker-registry", "bin/registry"]],
    directories: ["var/lib/registry"],
    links: [],
    ownedByNginx: [],
    config: {
      Entrypoint: ["/entrypoint.sh"],
      Cmd: ["/etc/docker/registry/config.yml"],
      ExposedPorts: { "5000/tcp": {} },
      Volumes: { "/var/lib/registry": {} },
    },
  },
  registry3: {
    overlays: ["base"],
    libraries: /^$/,
    programs: [],
    goProgram: ["registry", "bin/registry"],
    directories: ["var/lib/registry", "etc/distribution"],
    links: [],
    ownedByNginx: [],
    config: {
      Entrypoint: ["/bin/registry"],
      Cmd: ["serve", "/etc/distribution/config.yml"],
      ExposedPorts: { "5000/tcp": {} },
      Volumes: { "/var/lib/registry": {} },
    },
  },
  nginx,
  ui: {
    ...nginx,
    overlays: [...nginx.overlays, "ui"],
    ownedByNginx: ["var/cache/nginx", "etc/nginx", "usr/share/nginx/html"],
    config: { ...nginx.config, Env: [PATH, "NGINX_PROXY_HEADER_Host=$http_host", "NGINX_LISTEN_PORT=80"] },
  },
  regsync: {
    overlays: ["base"],
    libraries: /^$/,
    programs: [],
    goProgram: ["regsync", "regsync"],
    directories: ["etc/regsync"],
    links: [],
    ownedByNginx: [],
    config: { Entrypoint: ["/regsync"], Cmd: [] },
  },
  hello: {
    overlays: ["base"],
    libraries: /^$/,
    programs: [],
    directories: [],
    links: [],
    ownedByNginx: [],
    config: { Cmd: ["echo", "Hello from a library of your own."] },
  },
};
