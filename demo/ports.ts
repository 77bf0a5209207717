/** The two ports that the trial publishes: free, and not the same, before anything is made. */
import { createServer } from "node:net";
import { ExitCode, OperatorError } from "../src/errors.js";
import { quietly } from "./shell.js";
import { STACK } from "./state.js";

export interface Ports {
  registryPort: number;
  uiPort: number;
}

/**
 * Refuses ports that cannot be used. Those that the demo's own stack holds already are fine.
 *
 * @throws OperatorError naming all ports that are taken, with the flags for ports that are free
 */
export async function checkPorts({ registryPort: registry, uiPort: ui }: Ports): Promise<void> {
  if (registry === ui)
    throw refuse("the registry and the library need two ports", "Write another --ui-port.", ExitCode.usage);
  const own = await ownPorts();
  const taken: number[] = [];
  for (const port of [registry, ui]) if (!own.has(port) && (await isTaken(port))) taken.push(port);
  if (taken.length === 0) return;
  const freeRegistry = taken.includes(registry) ? await freeAfter(registry, ui) : registry;
  const freeUi = taken.includes(ui) ? await freeAfter(ui, freeRegistry) : ui;
  throw refuse(
    `${taken.join(" and ")}: taken on this machine`,
    `Choose others: npm run demo -- --registry-port ${freeRegistry} --ui-port ${freeUi}`,
    ExitCode.preflight,
  );
}

/** The ports that the services of the demo's stack publish; none where no engine answers. */
async function ownPorts(): Promise<Set<number>> {
  const services = ["service", "ls", "--quiet", "--filter", `label=com.docker.stack.namespace=${STACK}`];
  const ids = (await quietly("docker", services)).stdout.split("\n").filter(Boolean);
  if (ids.length === 0) return new Set();
  const format = "{{with .Spec.EndpointSpec}}{{range .Ports}}{{.PublishedPort}}{{println}}{{end}}{{end}}";
  const { stdout } = await quietly("docker", ["service", "inspect", "--format", format, ...ids]);
  return new Set(stdout.split("\n").filter(Boolean).map(Number));
}

async function freeAfter(port: number, other: number): Promise<number> {
  for (let next = port + 1; next <= 65_535; next++) if (next !== other && !(await isTaken(next))) return next;
  return port;
}

/** Only EADDRINUSE counts: a port below 1024 is closed to this process, but not to the engine. */
function isTaken(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "EADDRINUSE"));
    server.listen(port, () => server.close(() => resolve(false)));
  });
}

const refuse = (message: string, remedy: string, exitCode: ExitCode) =>
  new OperatorError(message, { where: "ports", remedy, exitCode });
