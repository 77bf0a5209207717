import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import bcrypt from "bcryptjs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ExitCode } from "../../src/errors.js";
import { type Image, pushImage } from "./attacks/image.js";
import { basic } from "./attacks/raw.js";
import { CREDENTIALS, PASSWORD, pullDuring, swarmObjects, USER } from "./stack.js";
import { useSwarm } from "./swarm.js";
import { OPS_SCRIPTS, type Run, Workspace } from "./workspace.js";

/**
 * A stack that an earlier version deployed, and the way to this one. The folder upgrade/0cf328a holds what that version
 * rendered from the hephaestus.yaml there, with names in the place of images and storage, and its deploy.sh.
 */

const swarm = useSwarm();
const EARLIER = fileURLToPath(new URL("./upgrade/0cf328a", import.meta.url));
const NETWORK = "forge-edge";
const TIMEOUT = 300_000;

const OTHER = { user: "ann", password: "Tongs-and-bellows-8" };
const USERS = { [USER]: PASSWORD, [OTHER.user]: OTHER.password };
const USERS_GIVEN = {
  ...CREDENTIALS,
  REGISTRY_HTPASSWD: `${CREDENTIALS.REGISTRY_HTPASSWD}${OTHER.user}:${bcrypt.hashSync(OTHER.password, 10)}\n`,
};

let forge: Workspace;
let edge: ChildProcess | undefined;
let container = "";

beforeEach(async () => {
  forge = await Workspace.create("forge", 5000, 8080);
  await cp(EARLIER, forge.folder, { recursive: true });
  for (const file of ["docker-compose.yml", "hephaestus.yaml"]) await fillIn(`${forge.folder}/${file}`);
  const network = await forge.docker("network", "create", "--driver", "overlay", "--attachable", NETWORK);
  expect(network.exitCode, network.all).toBe(0);
  const setup = [`${OPS_SCRIPTS}setup_host.sh`, "--path", `${forge.folder}/data`];
  expect((await forge.run("sh", setup)).exitCode).toBe(0);
  const deployed = await deployScript(`${forge.folder}/deploy.sh`, USERS_GIVEN);
  expect(deployed.exitCode, deployed.all).toBe(0);
  await openEdge();
}, TIMEOUT);

afterEach(async () => {
  edge?.kill();
  await forge.docker("rm", "--force", container);
  await forge.destroy([NETWORK]);
}, TIMEOUT);

async function fillIn(file: string): Promise<void> {
  const text = (await readFile(file, "utf8"))
    .replaceAll("image-of-registry:2.8.2", swarm.images.registry)
    .replaceAll("image-of-gateway:1", swarm.images.nginx)
    .replaceAll("image-of-ui:2.6.0", swarm.images.ui)
    .replaceAll("/STORAGE", `${forge.folder}/data`);
  await writeFile(file, text);
}

const deployScript = (script: string, env: Record<string, string> = {}): Promise<Run> =>
  forge.run("sh", [script, "forge", "docker-compose.yml"], {
    env: { ...env, HEPHAESTUS_RESOLVE_IMAGE: "never" },
  });

/** Starts what passes the clients' requests on, in a container's network. */
async function openEdge(): Promise<void> {
  const run = ["run", "--detach", "--network", NETWORK, "--publish", `127.0.0.1:${forge.registryPort}:5000`];
  container = (await forge.docker(...run, "--entrypoint", "sleep", swarm.images.nginx, "3600")).stdout.trim();
  const pid = (await forge.docker("inspect", "--format", "{{.State.Pid}}", container)).stdout.trim();
  const program = fileURLToPath(new URL("./upgrade/edge.ts", import.meta.url));
  const node = [
    process.execPath,
    "--import",
    import.meta.resolve("tsx"),
    program,
    "tasks.forge_gateway",
    "5000",
  ];
  edge = spawn("nsenter", ["--target", pid, "--net", ...node], { stdio: ["pipe", "pipe", "inherit"] });
  await once(edge.stdout as NonNullable<typeof edge.stdout>, "data");
}

const push = (repository: string, user = USER, password = PASSWORD): Promise<Image> =>
  pushImage(
    {
      name: "edge",
      to: { host: "127.0.0.1", port: forge.registryPort },
      authority: "registry.forge.example",
    },
    basic(user, password),
    repository,
    "latest",
  );

/** Pushes one image after the other until the work is done. */
async function pushDuring<T>(work: Promise<T>): Promise<{ result: T; pushes: number }> {
  let isDone = false;
  let pushes = 0;
  const loop = (async () => {
    while (!isDone) await push(`tools/new${pushes++ % 5}`);
  })();
  const result = await work.finally(() => {
    isDone = true;
  });
  await loop;
  return { result, pushes };
}

/** What of the stack does not carry the label of its owner. */
async function unlabelled(): Promise<string[]> {
  const bare: string[] = [];
  for (const object of await swarmObjects(forge)) {
    const [type = "", name = ""] = object.split(" ");
    const format = '{{index .Spec.Labels "hephaestus.stack"}}';
    const { stdout } = await forge.docker(type, "inspect", "--format", format, name);
    if (stdout !== "forge") bare.push(object);
  }
  return bare;
}

/** What there is when nothing is left over: by the compose file. */
async function expected(generation: number): Promise<string[]> {
  const compose = await readFile(`${forge.folder}/docker-compose.yml`, "utf8");
  const configs = [...compose.matchAll(/name: (forge_\S+_[0-9a-f]{12})$/gm)].map(
    ([, name]) => `config ${name}`,
  );
  const services = ["gateway", "reader", "registry", "registry-ui"].map((name) => `service forge_${name}`);
  const secrets = [`htpasswd_${generation}`, "http-secret_1", "gateway_1", "ui_1"];
  return [...configs, ...services, ...secrets.map((name) => `secret forge_${name}`)].sort();
}

test.each<[string, () => Promise<Run>]>([
  [
    "hephaestus deploy",
    () => forge.hephaestus(["deploy", "--resolve-image", "never", "--no-verify", "--timeout", "200"]),
  ],
  ["deploy.sh", () => deployScript(`${OPS_SCRIPTS}deploy.sh`)],
])(
  "%s brings a stack of an earlier version to this one: no pull fails, nobody is lost",
  {
    timeout: TIMEOUT,
  },
  async (_name, deploy) => {
    await push("tools/hello");
    expect(await unlabelled()).not.toEqual([]);
    // More than labels changes, so that registry and gateway roll.
    const config = await readFile(`${forge.folder}/hephaestus.yaml`, "utf8");
    await writeFile(
      `${forge.folder}/hephaestus.yaml`,
      config.replace("registry:\n", "registry:\n  delete: true\n"),
    );
    const rendered = await forge.hephaestus(["render"]);
    expect(rendered.exitCode, rendered.all).toBe(ExitCode.ok);

    const { result, count } = await pullDuring(forge, "tools/hello", pushDuring(deploy()));
    expect(result.result.exitCode, result.result.all).toBe(ExitCode.ok);
    console.log(
      `while the stack was brought to this version: ${count.pulls} pulls, ${count.failures.length} failed; ${result.pushes} pushes`,
    );
    expect(count.failures.slice(0, 5)).toEqual([]);
    expect(count.pulls).toBeGreaterThan(0);
    expect(result.pushes).toBeGreaterThan(0);

    for (const [user, password] of Object.entries(USERS)) {
      const headers = { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` };
      expect((await fetch(`${forge.registryUrl}/auth/token`, { headers })).status, user).toBe(200);
      await push("tools/after", user, password);
    }
    expect(await unlabelled()).toEqual([]);
    expect(await swarmObjects(forge)).toEqual(await expected(1));
  },
);

test("destroy removes a stack of an earlier version, with its network", { timeout: TIMEOUT }, async () => {
  const run = await forge.hephaestus(["destroy", "--yes"]);
  expect(run.exitCode, run.all).toBe(ExitCode.ok);
  expect(await swarmObjects(forge)).toEqual([]);
  const { stdout } = await forge.docker("network", "ls", "--format", "{{.Name}}");
  expect(stdout).not.toContain("forge_internal");
});
