/** What the gateway is measured against: plain processes of this machine, started beside its stack. None of them logs requests. */
import { mkdir, writeFile } from "node:fs/promises";
import bcrypt from "bcryptjs";
import { pushImage } from "../test/e2e/attacks/image.js";
import { changed, gatewayFiles, startGateways } from "../test/gateway/gateways.js";
import { freePorts, HOST, PlainStack } from "../test/gateway/plainStack.js";
import { basicValue } from "../test/support/basic.js";
import { CACHE } from "../test/support/checkout.js";
import { buildGoPrograms, goProgram } from "../test/support/goPrograms.js";

export const GUIDE = "the guides' stack";
export const USER = "smith";
const PASSWORD = "Anvil-and-hammer-7";
export const AUTHORIZATION = basicValue(USER, PASSWORD);

export interface Contestant {
  name: string;
  url: string;
  /** The credential that a push needs. */
  headers: Record<string, string>;
  /** The groups of its processes. */
  groups: readonly number[];
}

/** The same registry for everybody. */
const REGISTRY = { image: "registry:3.1.2" };

/** The users' passwords are hashed at cost 12, as by default. */
export const htpasswd = (...users: string[]): string => {
  const hash = bcrypt.hashSync(PASSWORD, 12);
  return [USER, ...users].map((user) => `${user}:${hash}\n`).join("");
};

/** A stack as it is rendered, but for the log of requests. */
export async function startOurs(
  config: Record<string, unknown>,
  users: string,
): Promise<{ stack: PlainStack; ours: Contestant }> {
  const stack = await PlainStack.start({ registry: REGISTRY, ...config }, users);
  // `off` would also silence the logs that nothing is written to, by which the program counts.
  const silent = changed("config", /access_log \/dev\/stdout \w+;/g, "# /dev/stdout");
  const plan = { ...silent(gatewayFiles(stack)), around: "stack" as const, isWhole: true };
  const image = await pushImage(stack.registry, `Authorization: ${AUTHORIZATION}`, "bench/first", "latest");
  const [site] = await startGateways(stack, [plan], image);
  const { port } = site?.endpoint.to as { port: number };
  const headers = { authorization: AUTHORIZATION };
  return {
    stack,
    ours: { name: "gateway", url: `http://${HOST}:${port}`, headers, groups: stack.groups },
  };
}

/** Starts what the gateway of a stack is compared with; it ends with the stack. */
export async function startOthers(stack: PlainStack): Promise<Contestant[]> {
  return [
    await start(stack, "registry alone", {}, aloneIn),
    ...((await hasZot()) ? [await start(stack, "zot", {}, zotIn)] : []),
    await startGuide(stack),
  ];
}

/** The command of a server with a folder of its own. */
type Command = (folder: string, port: number) => Promise<string[]>;

async function start(
  stack: PlainStack,
  name: string,
  headers: Contestant["headers"],
  command: Command,
): Promise<Contestant> {
  const before = new Set(stack.groups);
  const [port = 0] = await freePorts(1);
  const folder = `${stack.folder}/${name.replaceAll(/\W/g, "-")}`;
  await mkdir(folder);
  const endpoint = { name, to: { host: HOST, port }, authority: `${HOST}:${port}` };
  await stack.run(await command(folder, port), `${folder}/log`, endpoint, "/");
  const groups = stack.groups.filter((group) => !before.has(group));
  return { name, url: `http://${HOST}:${port}`, headers, groups };
}

const registryConfig = (folder: string, port: number, auth: string): string => `version: 0.1
log: { level: error, accesslog: { disabled: true } }
storage: { filesystem: { rootdirectory: ${folder}/data }, cache: { blobdescriptor: inmemory } }
${auth}http: { addr: "${HOST}:${port}" }
`;

async function aloneIn(folder: string, port: number): Promise<string[]> {
  await writeFile(`${folder}/config.yml`, registryConfig(folder, port, ""));
  return ["registry", "serve", `${folder}/config.yml`];
}

async function zotIn(folder: string, port: number): Promise<string[]> {
  const config = {
    distSpecVersion: "1.1.1",
    storage: { rootDirectory: `${folder}/data` },
    http: { address: HOST, port: String(port) },
    log: { level: "error" },
  };
  await writeFile(`${folder}/config.json`, JSON.stringify(config));
  return [goProgram(CACHE, "zot"), "serve", `${folder}/config.json`];
}

/** What widespread guides build: a registry with an htpasswd, and an nginx that adds a password to every request. */
async function startGuide(stack: PlainStack): Promise<Contestant> {
  let address = "";
  const behind = await start(stack, "guide's registry", {}, async (folder, port) => {
    address = `${HOST}:${port}`;
    await writeFile(`${folder}/htpasswd`, htpasswd());
    const auth = `auth: { htpasswd: { realm: r, path: ${folder}/htpasswd } }\n`;
    await writeFile(`${folder}/config.yml`, registryConfig(folder, port, auth));
    return ["registry", "serve", `${folder}/config.yml`];
  });
  const before = new Set(stack.groups);
  const [port = 0] = await freePorts(1);
  const home = `${stack.folder}/guide`;
  const config = `pid ${home}/nginx.pid; events {}
http {
  access_log off; client_body_temp_path ${home}/tmp; proxy_temp_path ${home}/tmp;
  server {
    listen ${HOST}:${port}; client_max_body_size 0;
    location / { proxy_pass http://${address}; proxy_set_header Authorization "${AUTHORIZATION}"; }
  }
}
`;
  const endpoint = { name: "guide", to: { host: HOST, port }, authority: `${HOST}:${port}` };
  await stack.serveNginx(config, home, endpoint);
  const groups = [...behind.groups, ...stack.groups.filter((group) => !before.has(group))];
  return { name: GUIDE, url: `http://${HOST}:${port}`, headers: {}, groups };
}

/** Whether zot is there, or can be built. */
const hasZot = (): Promise<boolean> =>
  buildGoPrograms(CACHE, console.log, ["zot"]).then(
    () => true,
    (error: Error) => {
      console.log(`zot is left out: ${error.message}`);
      return false;
    },
  );
