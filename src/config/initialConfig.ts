import { stringify } from "yaml";
import { newestRegistry } from "./imageUpgrade.js";
import type { WrittenConfig } from "./schema/index.js";

export const SCHEMA_FILE = ".hephaestus/schema.json";

/** What `init` finds in the Swarm and does not ask. */
export type FoundSettings = Pick<WrittenConfig, "traefik" | "authelia" | "swarm">;

/** What `init` asks, or takes from its flags. */
export interface InitAnswers {
  domain: string;
  storagePath: string;
  traefikVersion: 2 | 3;
  traefikNetwork: string;
  ui: "public" | "sso" | "none";
  /** Line of the registry; 3 if it is not named. */
  registryVersion?: 2 | 3 | undefined;
  /** Host name of the node that holds the images; undefined where the Swarm has one node, or is not known. */
  node?: string | undefined;
  found?: FoundSettings;
}

/** The text of a new hephaestus.yaml for a Swarm with Traefik: short, what is left out has its default. */
export function initialConfig(answers: InitAnswers): string {
  const {
    domain,
    storagePath,
    registryVersion,
    traefikVersion,
    traefikNetwork,
    ui,
    node,
    found = {},
  } = answers;
  return [
    ...head(domain),
    part("Pulls are anonymous, pushes need a login. hephaestus deploy creates the folder.", {
      registry: {
        image: registryImage(registryVersion),
        storage: { driver: "filesystem", path: storagePath },
        ...(node === undefined ? {} : { placement: { constraints: [`node.hostname == ${node}`] } }),
      },
    }),
    part("The web library, read-only. access: public, or sso (behind Authelia).", {
      ui: ui === "none" ? { enabled: false } : { access: ui },
    }),
    part("Your Traefik: version 2 or 3 (3.2.2 or newer), and its overlay network.", {
      traefik: { version: traefikVersion, network: traefikNetwork, ...found.traefik },
    }),
    ...(found.authelia && ui === "sso"
      ? [part("Your Authelia: the middleware that its labels define.", { authelia: found.authelia })]
      : []),
    ...(found.swarm ? [part("This kernel has no IPVS for virtual IPs.", { swarm: found.swarm })] : []),
  ].join("\n");
}

/**
 * The text of a hephaestus.yaml for a trial on one machine: published ports, plain HTTP, no Traefik, no
 * Authelia.
 */
export function trialConfig(
  storagePath: string,
  ports: { registry: number; ui: number },
  registryVersion?: 2 | 3,
): string {
  return [
    ...head("localhost"),
    part("A trial on this machine: ports instead of Traefik, plain HTTP.", { expose: "ports", ports }),
    part("Delete this folder when you are done.", {
      registry: {
        image: registryImage(registryVersion),
        storage: { driver: "filesystem", path: storagePath },
      },
    }),
    part("One node needs no virtual IPs, and many kernels of small machines have none.", {
      swarm: { endpointMode: "dnsrr" },
    }),
  ].join("\n");
}

/** The newest image of a line of the registry. */
export const registryImage = (line: 2 | 3 = 3): string => `registry:${newestRegistry(line).version}`;

function head(domain: string): string[] {
  return [
    `# yaml-language-server: $schema=${SCHEMA_FILE}`,
    "# The registry's config. Next: hephaestus render && hephaestus deploy",
    stringify({ version: 1, domain } satisfies WrittenConfig),
  ];
}

const part = (comment: string, values: Partial<WrittenConfig>): string =>
  `# ${comment}\n${stringify(values)}`;
