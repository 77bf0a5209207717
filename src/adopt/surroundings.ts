/** What is known of the surroundings of what is adopted. */
export interface Surroundings {
  /** Name of the new stack. */
  stack: string;
  /** The config file of the registry, if it has one of its own that could be read. */
  configText?: string | undefined;
  /** Line of the Traefik that runs; by the labels if it is not known. */
  traefik?: 2 | 3 | undefined;
  /** Networks that Traefik is on. */
  traefikNetworks?: readonly string[];
  /** Host name of the node of the registry, if there are several. */
  node?: string | undefined;
  /** Whether names of services resolve to their tasks, since the kernel has no IPVS. */
  dnsrr?: boolean | undefined;
  /** Domain of what has no host name. */
  domain?: string | undefined;
}
