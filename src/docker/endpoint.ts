import type { Docker } from "./run.js";

/** Where the engine is that docker talks to. */
export interface Endpoint {
  /** unix:///var/run/docker.sock, ssh://user@host, tcp://… */
  host: string;
  /** Whether it runs on this machine. */
  isLocal: boolean;
}

/** Asks docker's own settings; the engine itself is not asked. */
export async function readEndpoint(docker: Docker): Promise<Endpoint> {
  const format = ["--format", "{{.Endpoints.docker.Host}}"];
  const host = (await docker.run(["context", "inspect", ...format])).trim();
  return { host, isLocal: /^(?:unix|npipe):/.test(host) };
}
