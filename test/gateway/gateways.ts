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

/** The rendered files of a gateway: what nginx reads, its program, and what that reads. */
export interface GatewayFiles {
  config: string;
  program: string;
  settings: string;
}

export interface Plan extends GatewayFiles {
  around: Surroundings;
  /** Whether nginx has as many processes as are rendered; else one. */
  isWhole?: boolean;
}

/** What the product renders. */
export const gatewayFiles = (stack: PlainStack): GatewayFiles => ({
  config: stack.file("gateway/nginx.conf"),
  program: stack.file("gateway/gateway.js"),
  settings: stack.file("gateway/gateway.json"),
});

/** Answers with the request that it got. @returns its address, and what it was asked */
async function startMirror(): Promise<{ address: string; heard: readonly string[] }> {
  const heard: string[] = [];
  const server = createServer(({ method, url, rawHeaders }, response) => {
    const headers = rawHeaders.flatMap((name, index) =>
      index % 2 === 0 ? [`${name}: ${rawHeaders[index + 1]}`] : [],
    );
    const text = [`${method} ${url}`, ...headers].join("\n");
    heard.push(text);
    response.end(text);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  server.unref();
  return { address: `127.0.0.1:${(server.address() as { port: number }).port}`, heard };
}

/** Replaces text of one of the files. */
export const changed =
  (of: keyof GatewayFiles, what: string | RegExp, by: string) =>
  (files: GatewayFiles): GatewayFiles => ({ ...files, [of]: replace(files[of], what, by) });

const proxyTo = (files: GatewayFiles, address: string): GatewayFiles =>
  changed("config", /(?<=proxy_pass http:\/\/)(?:\$?reader|\$registry)(?=\$sent;)/g, address)(files);

const trustingProxies = changed(
  "config",
  "http {",
  "http {\n    set_real_ip_from 0.0.0.0/0;\n    real_ip_header X-Forwarded-For;",
);

/** With checks that are held. Turns and guesses come back so slowly that it does not matter how fast this machine is. */
function holding(files: GatewayFiles, { addressOf }: HeldChecks): GatewayFiles {
  const lanes = (["swift", "pace"] as const).reduce(
    (config, lane) =>
      replace(
        config,
        new RegExp(`(?<=location /${lane}-turn/ \\{[^}]*proxy_pass http://)checks/;`),
        `${addressOf(lane)}/;`,
      ),
    replace(files.config, /(?<=zone=pace:1m rate=)\d+/, "1"),
  );
  return changed("settings", /(?<="guessesPerMinute": )\d+/, "1")({ ...files, config: lanes });
}

/** The files with what their surroundings ask for. */
const SURROUNDED: Record<Surroundings, (files: GatewayFiles, mirror: string) => GatewayFiles> = {
  stack: (files) => files,
  mirror: (files, mirror) => proxyTo(files, mirror),
  checks: (files, mirror) =>
    changed(
      "config",
      /(?<=location \/swift-turn\/ \{[^}]*proxy_pass http:\/\/)checks\/;/,
      `${mirror}/;`,
    )(files),
  nothing: (files) => proxyTo(files, "127.0.0.1:1"),
  proxy: trustingProxies,
  held: trustingProxies,
  forgetful: (files) =>
    [changed("settings", /(?<="remember": )\d+/, "2"), changed("settings", /(?<="tokenSeconds": )\d+/, "0")]
      // A token is good for 5 seconds on its way.
      .reduce((whole, change) => change(whole), files),
  // A mutation takes this line away. Where the rule is there, the probe fails without this change.
  narrow: (files) => ({
    ...files,
    config: files.config.replace(/(?<=limit_conn answers_of_network )\d+/g, "6"),
  }),
};

/** The config at its place on this machine. */
function placed(config: string, home: string, port: number, isWhole = false): string {
  const places = [
    ["listen 5000;", `listen ${HOST}:${port};`],
    ...(isWhole ? [] : [["worker_processes 4;", "worker_processes 1;"] as const]),
    ["/dev/stdout", `${home}/access.log`],
    ["/dev/stderr", `${home}/error.log`],
    ["/etc/nginx/gateway.js", `${home}/gateway.js`],
  ] as const;
  return places.reduce((text, [what, by]) => replace(text, what, by), config);
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
  const mirror = await startMirror();
  const sites: Site[] = [];
  // Some at once: who waits asks again and again.
  await concurrently([...plans.entries()], 4, async ([index, plan]) => {
    const port = ports[index] ?? 0;
    const home = `${stack.folder}/gateway-${port}`;
    await mkdir(home);
    const endpoint = { name: `gateway ${port}`, to: { host: HOST, port }, authority: AUTHORITY };
    const checks = plan.around === "held" ? await HeldChecks.start() : undefined;
    const surrounded = SURROUNDED[plan.around](plan, mirror.address);
    const files = checks ? holding(surrounded, checks) : surrounded;
    await writeFile(`${home}/gateway.json`, stack.moved(files.settings, home));
    const program = replace(files.program, "/etc/nginx/gateway.json", `${home}/gateway.json`);
    await writeFile(`${home}/gateway.js`, replace(program, "/run/secrets/", `${stack.folder}/secrets/`));
    const config = stack.moved(files.config, `${home}/tmp`);
    await stack.serveNginx(placed(config, home, port, plan.isWhole), home, endpoint);
    sites[index] = {
      endpoint,
      image,
      storage: stack.storage,
      machineAuthorization: stack.machineAuthorization,
      log: () => readFile(`${home}/access.log`, "utf8"),
      ...(checks && { checks }),
      heard: mirror.heard,
    };
  });
  return sites;
}
