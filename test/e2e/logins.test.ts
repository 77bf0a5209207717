import { chown, mkdir, rm, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ExitCode } from "../../src/errors.js";
import type { ManagerNode } from "../support/nodes.js";
import { story } from "../support/story.js";
import { useNodes } from "./nodes/threeNodes.js";
import { inParallel } from "./population.js";
import { CREDENTIALS, PASSWORD, USER, writeConfig } from "./stack.js";
import { useSwarm } from "./swarm.js";
import { expectOk, type Run, type RunSettings, Workspace } from "./workspace.js";

/** Services of a Swarm of three nodes pull private images with the logins of three users, whose passwords change. */

const swarm = useSwarm();
story();
const PORT = 5040;
/** No node has the other one because of another service. */
const [IMAGE, OTHER] = ["app", "other"].map((name) => `localhost:${PORT}/team/${name}:1`) as [string, string];
const USERS = [USER, "ann", "bob"];
const SERVICES = Array.from({ length: 20 }, (_, number) => `shop-${number}`);
/** Nobody says whose login it keeps. */
const UNKNOWN = "shop-unknown";
const userOf = (service: string): string => USERS[SERVICES.indexOf(service) % USERS.length] ?? USER;
const servicesOf = (user: string): string[] => SERVICES.filter((service) => userOf(service) === user);
let nodes: readonly ManagerNode[];
let first: ManagerNode;
let forge: Workspace;

const docker = (node: ManagerNode, ...args: string[]): Promise<Run> =>
  forge.run("docker", ["--host", node.dockerHost, ...args]);

const on = (args: readonly string[], { env, ...settings }: RunSettings = {}): Promise<Run> =>
  forge.hephaestus(args, { ...settings, env: { DOCKER_HOST: first.dockerHost, ...env } });

/** The folder of a docker that is logged in. */
async function loggedIn(user: string, password: string): Promise<string> {
  const folder = `${forge.folder}/docker-${user}`;
  await mkdir(folder, { recursive: true });
  const auth = Buffer.from(`${user}:${password}`).toString("base64");
  await writeFile(`${folder}/config.json`, JSON.stringify({ auths: { [`localhost:${PORT}`]: { auth } } }));
  return folder;
}

/** Creates a service that keeps the login of a user. */
async function createService(name: string, login: string, image = IMAGE): Promise<void> {
  const options = [
    "--detach",
    "--quiet",
    "--with-registry-auth",
    "--no-resolve-image",
    "--entrypoint",
    "sleep",
  ];
  const pace = ["--stop-grace-period", "1s", "--restart-delay", "1s"];
  expectOk(
    await docker(
      first,
      "--config",
      login,
      "service",
      "create",
      ...options,
      ...pace,
      "--name",
      name,
      image,
      "3600",
    ),
  );
}

/** By the public address: an upload goes on there, and docker sends the login of localhost nowhere else. */
async function pushImages(): Promise<void> {
  const archive = `${forge.folder}/app.tar`;
  expectOk(await forge.docker("save", "--output", archive, swarm.images.nginx));
  const login = ["--dest-tls-verify=false", "--dest-creds", `${USER}:${PASSWORD}`];
  for (const image of [IMAGE, OTHER]) {
    const target = `docker://${image.replace("localhost", first.address)}`;
    expectOk(await forge.run("skopeo", ["copy", "--quiet", ...login, `docker-archive:${archive}`, target]));
  }
}

beforeAll(async () => {
  const { dir, nodes: found } = await useNodes(swarm);
  nodes = found;
  // A folder that all nodes share.
  await mkdir(`${dir}/shared/logins`, { mode: 0o750 });
  await chown(`${dir}/shared/logins`, 10_001, 10_001);
  [first] = nodes as [ManagerNode];
  forge = await Workspace.create("logins", PORT, 8140);
  await writeConfig(forge, swarm, {
    root: { domain: first.address },
    registry: {
      image: swarm.images.registry3,
      pull: "authenticated",
      storage: { driver: "filesystem", path: "/srv/shared/logins", shared: true },
    },
    // Each node pulls from its own.
    gateway: { replicas: 3 },
    ui: { enabled: false },
  });
  expectOk(await on(["render"]));
  expectOk(
    await on(["deploy", "--resolve-image", "never", "--timeout", "120", "--skip-host-setup"], {
      env: CREDENTIALS,
    }),
  );
  for (const user of USERS.slice(1))
    expectOk(await on(["user", "add", user, "--password-stdin"], { input: PASSWORD }));
  await pushImages();
  const logins = new Map(
    await Promise.all(USERS.map(async (user) => [user, await loggedIn(user, PASSWORD)] as const)),
  );
  await inParallel(SERVICES, (service) => createService(service, logins.get(userOf(service)) ?? ""));
  await createService(UNKNOWN, logins.get("ann") ?? "", OTHER);
});

afterAll(async () => {
  await docker(first, "service", "rm", ...SERVICES, UNKNOWN);
  await docker(first, "stack", "rm", forge.stack);
  await rm(forge.folder, { recursive: true, force: true });
});

interface Listed {
  service: string;
  user: string | null;
  task: string | null;
}

async function listed(): Promise<Listed[]> {
  const run = await on(["logins", "list", "--json"]);
  return (JSON.parse(run.stdout) as { services: Listed[] }).services;
}

/** The state of each service's newest task. */
const states = async () => new Map((await listed()).map(({ service, task }) => [service, task]));
const all = (state: string) => new Map([...SERVICES, UNKNOWN].sort().map((service) => [service, state]));

async function taskIds(): Promise<string[]> {
  const { stdout } = await docker(
    first,
    "service",
    "ps",
    "--no-trunc",
    "--format",
    "{{.ID}}",
    ...SERVICES,
    UNKNOWN,
  );
  return stdout.split("\n").sort();
}

test("logins refresh notes whose login a service keeps, and wants a password that is right", async () => {
  await expect.poll(states, { timeout: 120_000, interval: 1000 }).toEqual(all("running"));
  const before = await taskIds();
  const wrong = await on(["logins", "refresh", "--user", "ann", "--password-stdin", "shop-1"], {
    input: "Not-that-one-3",
  });
  expect(wrong.exitCode, wrong.all).toBe(ExitCode.verify);
  for (const user of USERS)
    expectOk(
      await on(["logins", "refresh", "--user", user, "--password-stdin", ...servicesOf(user)], {
        input: PASSWORD,
      }),
    );
  const users = new Map((await listed()).map(({ service, user }) => [service, user]));
  expect(users).toEqual(
    new Map([...SERVICES, UNKNOWN].sort().map((name) => [name, name === UNKNOWN ? null : userOf(name)])),
  );
  expect(await taskIds()).toEqual(before);
});

test("a rotation stores the new login in the services of its user, whose tasks stay", async () => {
  const before = await taskIds();
  const dryRun = await on(["rotate-password", "--user", "ann", "--dry-run"]);
  expect(dryRun.all).toContain(`the new one would be stored in ${servicesOf("ann").sort().join(", ")}`);
  for (const user of USERS) {
    const run = await on(["rotate-password", "--user", user, "--password-file", `new-${user}`]);
    expectOk(run);
    expect(run.all).toContain(`the new one is stored in ${servicesOf(user).sort().join(", ")}`);
    expect(run.all).toContain(`${UNKNOWN} may keep an old login`);
  }
  expect(await taskIds()).toEqual(before);
});

test("every service starts anew on nodes without its image, but the one whose user nobody knows", async () => {
  const scale = (replicas: number) =>
    inParallel([...SERVICES, UNKNOWN], (service) =>
      docker(
        first,
        "service",
        "update",
        "--detach",
        "--quiet",
        "--no-resolve-image",
        "--replicas",
        `${replicas}`,
        service,
      ),
    );
  await scale(0);
  for (const node of nodes) {
    const left = async () => (await docker(node, "ps", "--quiet", "--filter", "name=shop-")).stdout;
    await expect.poll(left).toBe("");
    expectOk(await docker(node, "image", "rm", "--force", IMAGE, OTHER));
  }
  await scale(1);
  const wanted = new Map(all("running")).set(UNKNOWN, "rejected");
  await expect.poll(states, { timeout: 120_000, interval: 1000 }).toEqual(wanted);
  const { stdout } = await docker(first, "service", "ps", "--format", "{{.CurrentState}}", ...SERVICES);
  expect(stdout).not.toContain("Rejected");
});

test("doctor names the service that got no image, and what heals it", async () => {
  const codes = async () => {
    const run = await on(["doctor", "--json", "--no-verify"]);
    const { findings } = JSON.parse(run.stdout) as { findings: { code: string; message: string }[] };
    return findings.filter(({ message }) => message.includes("shop-")).map(({ code }) => code);
  };
  expect(await codes()).toEqual(["task-without-image"]);
  const password = await forge.run("cat", ["new-ann"]);
  expectOk(
    await on(["logins", "refresh", "--user", "ann", "--password-stdin", UNKNOWN], { input: password.stdout }),
  );
  await expect.poll(states, { timeout: 60_000, interval: 1000 }).toEqual(all("running"));
  expect(await codes()).toEqual([]);
});
