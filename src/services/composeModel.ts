/**
 * The part of the compose file format (version 3.9, as `docker stack deploy` reads it) that the stack uses.
 * Strings are literal: a `$` is a `$` here, and the YAML module writes it as compose needs it.
 */
export interface ComposeFile {
  version: "3.9";
  services: Record<string, Service>;
  networks: Record<string, Network>;
  configs: Record<string, FileConfig>;
  secrets: Record<string, ExternalSecret>;
  /** Named volumes, each on the node of its task; one that is external was there before. */
  volumes?: Record<string, { name: string; external?: true }>;
}

export interface Service {
  image: string;
  user?: string;
  entrypoint?: string[];
  environment?: Record<string, string>;
  networks: string[] | Record<string, { aliases?: string[] }>;
  ports?: PublishedPort[];
  ulimits?: { nofile: { soft: number; hard: number } };
  sysctls?: Record<string, number>;
  volumes?: Volume[];
  configs?: ConfigMount[];
  secrets?: SecretMount[];
  read_only?: boolean;
  cap_drop: string[];
  cap_add?: string[];
  healthcheck?: Healthcheck;
  stop_signal?: string;
  stop_grace_period: string;
  logging: { driver: string; options: Record<string, string> };
  deploy: Deploy;
}

interface PublishedPort {
  target: number;
  published: number;
  protocol: "tcp";
  mode: "host" | "ingress";
}

export type Volume =
  | { type: "bind"; source: string; target: string; read_only?: true }
  | { type: "volume"; source: string; target: string; read_only?: true; volume?: { nocopy: true } }
  | { type: "tmpfs"; target: string; tmpfs: { size: number } };

export interface ConfigMount {
  source: string;
  target: string;
}

export interface SecretMount {
  source: string;
  target: string;
  uid: string;
  gid: string;
  mode: FileMode;
}

/** Permission bits, written in octal. */
export class FileMode {
  constructor(readonly bits: number) {}
}

export interface Healthcheck {
  test: string[];
  interval: string;
  timeout: string;
  retries: number;
  start_period?: string;
}

export interface Deploy {
  replicas: number;
  endpoint_mode: "vip" | "dnsrr";
  labels?: Record<string, string>;
  placement?: { constraints?: string[]; preferences?: { spread: string }[]; max_replicas_per_node?: number };
  resources: { limits: Amounts & { pids: number }; reservations?: Amounts };
  restart_policy: { condition: "any"; delay: string };
  update_config: UpdateConfig;
  rollback_config: Omit<UpdateConfig, "failure_action">;
}

export interface Amounts {
  cpus?: string;
  memory?: string;
}

interface UpdateConfig {
  parallelism: number;
  order: "start-first" | "stop-first";
  failure_action: "rollback";
  monitor: string;
}

export type Network =
  | { external: true; name: string }
  | { driver: "overlay"; driver_opts?: Record<string, string>; labels?: Record<string, string> };

interface FileConfig {
  file: string;
  name: string;
  labels?: Record<string, string>;
}

export interface ExternalSecret {
  external: true;
  name: string | Interpolated;
}

/** Text that compose interpolates when the stack is deployed: its `$` stays as it is. */
export class Interpolated {
  constructor(readonly text: string) {}
}

/** The label of everything that Hephaestus creates in a Swarm; its value is the stack's name. */
export const OWNER_LABEL = "hephaestus.stack";
