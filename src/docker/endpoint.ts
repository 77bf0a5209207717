import type { Docker } from "./run.js";

/** Where the engine is that docker talks to. */
export interface Endpoint {
  /** unix:///var/run/docker.sock, ssh://user@host, tcp://… */
  host: string;
  /** Whether it runs on the machine that this process sees. */
  isLocal: boolean;
}

/** Whether this is the container image: its Dockerfile sets the variable. */
export const isInImage = (): boolean => Boolean(process.env.HEPHAESTUS_IMAGE);

/**
 * Asks docker's own settings; the engine itself is not asked. A container has a socket of its host's engine,
 * and neither its files nor its network.
 */
export async function readEndpoint(docker: Docker): Promise<Endpoint> {
  const format = ["--format", "{{.Endpoints.docker.Host}}"];
  const host = (await docker.run(["context", "inspect", ...format])).trim();
  return { host, isLocal: /^(?:unix|npipe):/.test(host) && !isInImage() };
}
