/** Gateways before one registry, each with a config of its own. */
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { concurrently } from "../../src/host/concurrently.js";
import type { Image } from "../e2e/attacks/image.js";
import { HeldChecks } from "./attacks/heldChecks.js";
import { replace, type Surroundings } from "./attacks/mutation.js";
import type { Site } from "./attacks/site.js";
import { AUTHORITY, freePorts, HOST, type PlainStack } from "./plainStack.js";

export interface Plan {
  config: string;
  around: Surroundings;
  /** The script of the gateway's rules. */
  script?: string;
}

/** Answers with the request that it got. @returns its address */
async function startMirror(): Promise<string> {
  const server = createServer(({ method, url, rawHeaders }, response) => {
    const headers = rawHeaders.flatMap((name, index) =>
      index % 2 === 0 ? [`${name}: ${rawHeaders[index + 1]}`] : [],
    );
    response.end([`${method} ${url}`, ...headers].join("\n"));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  server.unref();
  return `127.0.0.1:${(server.address() as { port: number }).port}`;
}

const proxyTo = (config: string, address: string): string =>
  replace(
    config,
    /map "\$route \$uri" \$destination \{[^}]*\}/,
    `map $route $destination { default ${address}; }`,
  );

const trustingProxies = (config: string): string =>
  replace(config, "http {", "http {\n    set_real_ip_from 0.0.0.0/0;\n    real_ip_header X-Forwarded-For;");

/** The config with checks that are held. Turns and guesses come back so slowly that it does not matter how fast this machine is. */
const holding = (config: string, { addressOf }: HeldChecks): string =>
  (["swift", "pace"] as const).reduce(
    (changed, queue) =>
      replace(changed, new RegExp(`(?<=server_name ${queue};[^}]*set \\$registry )[^;]+`), addressOf(queue)),
    ["guesses", "pace"].reduce(
      (changed, zone) => replace(changed, new RegExp(`(?<=zone=${zone}:1m rate=)\\d+`), "1"),
      config,
    ),
  );

/** The config with what its surroundings ask for. */
const SURROUNDED: Record<Surroundings, (config: string, mirror: string) => string> = {
  stack: (config) => config,
  mirror: (config, mirror) => proxyTo(config, mirror),
  nothing: (config) => proxyTo(config, "127.0.0.1:1"),
  proxy: trustingProxies,
  held: trustingProxies,
  forgetful: (config) => replace(config, /(?<=proxy_cache_valid 200.*)45s;/, "2s;"),
  // A mutation takes this line away. Where the rule is there, the probe fails without this change.
  narrow: (config) => config.replace(/(?<=limit_conn answers_of_network )\d+/, "6"),
};

/** The config at its place on this machine. */
function placed(config: string, home: string, port: number): string {
  const places = [
    ["listen 5000;", `listen ${HOST}:${port};`],
    ["worker_processes 4;", "worker_processes 1;"],
    ["/dev/stdout", `${home}/access.log`],
    ["/dev/stderr", `${home}/error.log`],
  ] as const;
  const text = places.reduce((changed, [what, by]) => replace(changed, what, by), config);
  // Only a config with rules has it.
  return text.replace("/etc/nginx/access.js", `${home}/access.js`);
}

/**
 * Starts a gateway for each plan, and waits until it serves.
 *
 * @returns the sites in the order of the plans
 */
export async function startGateways(
  stack: PlainStack,
  plans: readonly Plan[],
  image: Image,
): Promise<Site[]> {
  const ports = await freePorts(plans.length);
  const mirror = plans.some(({ around }) => around === "mirror") ? await startMirror() : "";
  const sites: Site[] = [];
  // Some at once: who waits asks again and again.
  await concurrently([...plans.entries()], 4, async ([index, plan]) => {
    const port = ports[index] ?? 0;
    const home = `${stack.folder}/gateway-${port}`;
    await mkdir(home);
    if (plan.script !== undefined) await writeFile(`${home}/access.js`, plan.script);
    const door = { name: `gateway ${port}`, to: { host: HOST, port }, authority: AUTHORITY };
    const checks = plan.around === "held" ? await HeldChecks.start() : undefined;
    const surrounded = SURROUNDED[plan.around](plan.config, mirror);
    const config = stack.moved(checks ? holding(surrounded, checks) : surrounded, `${home}/tmp`);
    await stack.serveNginx(placed(config, home, port), home, door);
    sites[index] = {
      door,
      image,
      storage: stack.storage,
      machineAuthorization: stack.machineAuthorization,
      log: () => readFile(`${home}/access.log`, "utf8"),
      ...(checks && { checks }),
    };
  });
  return sites;
}
