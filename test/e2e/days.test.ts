import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import bcrypt from "bcryptjs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ExitCode } from "../../src/errors.js";
import { basicValue } from "../support/basic.js";
import { ENDED, LAST, withManyUsers } from "../support/manyUsers.js";
import { story } from "../support/story.js";
import { Terminal } from "../support/terminal.js";
import { ask, basic } from "./attacks/raw.js";
import { Target } from "./attacks/target.js";
import { buildImage, buildIndex, MEDIA, TAG } from "./clients/images.js";
import { Pusher } from "./population.js";
import { BCRYPT_COST, DEPLOY, PASSWORD, pullDuring, swarmObjects, USER } from "./stack.js";
import { useSwarm } from "./swarm.js";
import { CLI, expectOk } from "./workspace.js";

/** The days after a deploy: how the stack is, what it says, and its end. */

const swarm = useSwarm();
story();
const CTRL_C = "\x03";
const WATCH_MILLISECONDS = 2000;
let target: Target;

beforeAll(async () => {
  target = await Target.deploy("days", [5000, 8080], swarm, {
    registry: { delete: true },
    gateway: { log: "json" },
  });
  await target.pushImage("tools/hello");
});

afterAll(() => target?.destroy());

interface Told {
  healthy: boolean;
  services: Array<{ name: string; running: number; replicas: number; healthy: boolean }>;
  generation: number;
  disk: { free: number; size: number };
  faults: string[];
}

async function status(): Promise<{ exitCode: number; told: Told }> {
  const run = await target.workspace.hephaestus(["status", "--json"]);
  return { exitCode: run.exitCode, told: JSON.parse(run.stdout) as Told };
}

test("status says healthy, on one screen, and the exit code too", async () => {
  const { exitCode, told } = await status();
  expect(told.faults).toEqual([]);
  expect(exitCode).toBe(ExitCode.ok);
  expect(told.services.map(({ name, running, replicas }) => `${name} ${running}/${replicas}`)).toEqual([
    "registry 1/1",
    "gateway 1/1",
    "registry-ui 1/1",
  ]);
  expect(told.generation).toBe(1);
  expect(told.disk.size).toBeGreaterThan(told.disk.free);
  expect(told.disk.free).toBeGreaterThan(0);

  const shown = await target.workspace.hephaestus(["status"]);
  expectOk(shown);
  expect(shown.stdout).toMatch(/^healthy$/m);
  expect(shown.stdout).toMatch(/^storage +[\d.]+ GB used, [\d.]+ GB free of [\d.]+ GB$/m);
  expect(shown.stdout.split("\n").length).toBeLessThan(24);
});

test("status names a service that is down, and what that means at the front door", async () => {
  const screen = Terminal.open([process.execPath, CLI, "status", "--watch"], {
    cwd: target.workspace.folder,
  });
  try {
    await screen.answer(/^healthy$/m, "");
    await target.docker("service", "scale", "--detach", "days_registry=0");
    // Questions that nobody answers take their time.
    await screen.answer(/^not healthy:\n.*registry: 0\/0 tasks run: is scaled to 0/ms, CTRL_C);
    const watched = await screen.end();
    expect(watched.exitCode, watched.text).toBe(ExitCode.interrupted);
    expect(watched.restored, watched.text).toBe(true);
  } finally {
    await target.docker("service", "scale", "--detach", "days_registry=1");
  }
  const healthy = async () => (await status()).told.healthy;
  await expect.poll(healthy, { timeout: 60_000, interval: 1000 }).toBe(true);
});

test("status --watch without a terminal tells every 2 seconds, and ends when it is told to", async () => {
  const times: number[] = [];
  let pid = 0;
  const run = await target.workspace.hephaestus(["status", "--watch", "--json"], {
    onStart: (id) => {
      pid = id;
    },
    onOutput: (text) => {
      if (text.includes('"event":"result"') && times.push(Date.now()) === 2) process.kill(pid, "SIGTERM");
    },
  });
  expect(run.exitCode, run.all).toBe(ExitCode.interrupted);
  expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(WATCH_MILLISECONDS);
  const events = run.stdout.split("\n").map((line) => (JSON.parse(line) as { event: string }).event);
  expect(events).toEqual(["result", "result", "error"]);
});

test("lock release asks before it takes the lock from an operation that is alive", async () => {
  const { workspace } = target;
  let pid = 0;
  const held = workspace.hephaestus(DEPLOY, {
    onStart: (id) => {
      pid = id;
    },
  });
  const hasLock = async () => (await workspace.docker("config", "inspect", "days_lock")).exitCode === 0;
  await expect.poll(hasLock, { timeout: 30_000, interval: 100 }).toBe(true);
  process.kill(pid, "SIGSTOP");
  try {
    const release = ["lock", "release"];
    const shown = await workspace.hephaestus(["lock"]);
    expect(shown.stdout).toMatch(new RegExp(`\\(process ${pid}\\) is working on days since .*heartbeat`));
    const refused = await workspace.hephaestus(release);
    expect(refused.exitCode, refused.all).toBe(ExitCode.locked);
    expect(refused.stderr).toContain("--yes");
    const ask = async (keys: string) => {
      const screen = Terminal.open([process.execPath, CLI, ...release], { cwd: workspace.folder });
      await screen.answer(/is working on days.*Release it\?.*Yes.*No/s, keys);
      return screen.end();
    };
    expect(await ask("n")).toMatchObject({ exitCode: ExitCode.ok, restored: true });
    expect(await ask(CTRL_C)).toMatchObject({ exitCode: ExitCode.interrupted, restored: true });
    expect(await hasLock()).toBe(true);
    const released = await ask("y");
    expect(released.exitCode, released.text).toBe(ExitCode.ok);
    expect(released.text).toMatch(new RegExp(`Released the lock of .*\\(process ${pid}\\)\\.`));
    expect(await hasLock()).toBe(false);
  } finally {
    process.kill(pid, "SIGKILL");
    await held;
  }
  const none = await workspace.hephaestus(["lock", "release", "--json"]);
  expectOk(none);
  expect(JSON.parse(none.stdout)).toMatchObject({ released: null });
});

test("logs prints lines of all services, of one, and refuses a name that is none", async () => {
  await fetch(`${target.workspace.registryUrl}/v2/tools/hello/tags/list`);
  const lines = async (...args: string[]) => (await target.workspace.hephaestus(["logs", ...args])).stdout;
  await expect
    .poll(() => lines("gateway"), { timeout: 20_000 })
    .toMatch(/^gateway \d{4}-\d\d-\d\dT\S+ \{.*"path":"\/v2\/tools\/hello\/tags\/list","status":200,/m);
  const all = await lines("--tail", "5");
  expect(all).toMatch(/^registry +\d{4}-/m);
  expect(all).toMatch(/^gateway +\d{4}-/m);
  const wrong = await target.workspace.hephaestus(["logs", "redis"]);
  expect(wrong.exitCode).toBe(ExitCode.usage);
  expect(wrong.all).toContain("Services are: registry, gateway, registry-ui.");
});

test("audit lists who pushed, pulled and deleted an image, and what was refused", async () => {
  const { workspace } = target;
  const { manifestDigest } = await target.pushImage("audited/app", "v1");
  const headers = { authorization: basicValue(USER, PASSWORD) };
  const url = `${workspace.registryUrl}/v2/audited/app`;
  const accept = { accept: MEDIA.manifest };
  expect((await fetch(`${url}/manifests/v1`, { headers: accept })).status).toBe(200);
  const anonymous = { authorization: "Bearer anonymous" };
  expect((await fetch(`${url}/blobs/uploads/`, { method: "POST", headers: anonymous })).status).toBe(403);
  expect((await fetch(`${url}/manifests/${manifestDigest}`, { method: "DELETE", headers })).status).toBe(202);

  const audit = async (...more: string[]) => {
    const run = await workspace.hephaestus(["audit", "--repository", "audited/**", ...more]);
    expectOk(run);
    return run.stdout;
  };
  const events = async (...more: string[]) => {
    const told = JSON.parse(await audit("--json", ...more)) as {
      events: { user: string | null; action: string; reference: string | null; status: number }[];
    };
    return told.events.map(({ user, action, reference, status }) => [user, action, reference, status]);
  };
  await expect.poll(events, { timeout: 20_000 }).toEqual([
    [USER, "push", "v1", 201],
    [null, "pull", "v1", 200],
    [null, "push", null, 403],
    [USER, "delete", manifestDigest, 202],
  ]);
  expect(await events("--user", USER, "--action", "push")).toEqual([[USER, "push", "v1", 201]]);
  expect((await events("--all")).length).toBeGreaterThan(4);
  expect(await audit()).toMatch(new RegExp(`^\\d{4}-\\S+ \\S+ +${USER} +push +audited/app:v1 +201 `, "m"));

  const wrong = await workspace.hephaestus(["audit", "--since", "yesterday"]);
  expect(wrong.exitCode).toBe(ExitCode.usage);
});

test("a machine user has an end and a note, which list, status and history show, until it is removed", async () => {
  const { workspace } = target;
  const hephaestus = async (...args: string[]) => {
    const run = await workspace.hephaestus(args);
    expectOk(run);
    return run.stdout;
  };
  const in10Days = new Date(Date.now() + 10 * 86_400_000).toISOString().slice(0, 10);
  const file = `${workspace.folder}/ci-password`;
  await hephaestus(
    "user",
    "add",
    "ci-a",
    "--until",
    in10Days,
    "--note",
    "builds of team a",
    "--password-file",
    file,
  );
  expect(await hephaestus("user", "list")).toMatch(
    new RegExp(`^ci-a .* ${in10Days} +builds of team a$`, "m"),
  );
  expect(await hephaestus("status")).toMatch(
    new RegExp(`^user +ci-a ends on ${in10Days}, in (?:9|10) days$`, "m"),
  );
  expect((await workspace.hephaestus(["doctor"])).all).toContain(`ci-a ends on ${in10Days}`);

  const password = (await readFile(file, "utf8")).trim();
  const upload = await ask(target.gateway, "POST", "/v2/tools/hello/blobs/uploads/", [
    basic("ci-a", password),
  ]);
  expect(upload.status).toBe(202);
  expect(upload.headers).not.toHaveProperty("x-account-ends");

  await hephaestus("user", "update", "ci-a", "--until", "2099-12-31");
  const { users } = JSON.parse(await hephaestus("user", "list", "--json")) as { users: object[] };
  expect(users).toContainEqual(
    expect.objectContaining({ user: "ci-a", until: "2099-12-31", note: "builds of team a" }),
  );
  expect((await ask(target.gateway, "GET", "/auth/token", [basic("ci-a", password)])).status).toBe(200);
  const past = await workspace.hephaestus(["user", "update", "ci-a", "--until", "2026-01-01"]);
  expect([past.exitCode, past.all]).toEqual([ExitCode.usage, expect.stringContaining("not in the future")]);
  await hephaestus("user", "remove", "ci-a");
  const history = await hephaestus("history");
  expect(history).toContain(`new password of ci-a until ${in10Days} (builds of team a)`);
  expect(history).toContain("changed ci-a until 2099-12-31 (builds of team a)");
});

test("prune-tags deletes what the rule lets go, and never an image that another tag keeps", async () => {
  const { workspace } = target;
  const env = { REGISTRY_USERNAME: USER, REGISTRY_RAW_PASSWORD: PASSWORD };
  const small = buildImage(workspace.folder, "small", [20_000]);
  const shared = buildImage(workspace.folder, "shared", [20_000]);
  const multi = buildIndex(workspace.folder, "multi");
  for (const [image, tags] of [
    [small, ["pr-1", "pr-2"]],
    [shared, ["pr-3", "latest"]],
    [multi, ["pr-4", "stable"]],
  ] as const) {
    for (const tag of tags) {
      const copy = await workspace.run("skopeo", [
        ...["copy", "--all", "--insecure-policy", "--dest-tls-verify=false"],
        ...["--dest-creds", `${USER}:${PASSWORD}`, `oci:${image.layout}:${TAG}`],
        `docker://${workspace.registry}/team/app:${tag}`,
      ]);
      expectOk(copy);
    }
  }
  const tags = async () => {
    const response = await fetch(`${workspace.registryUrl}/v2/team/app/tags/list`);
    return ((await response.json()) as { tags: string[] }).tags.sort();
  };
  const all = ["latest", "pr-1", "pr-2", "pr-3", "pr-4", "stable"];
  const prune = ["prune-tags", "--match", "pr-*", "--keep-last", "0"];

  const bare = await workspace.hephaestus(["prune-tags", "--match", "pr-*"], { env });
  expect(bare.exitCode).toBe(ExitCode.usage);
  const wrong = await workspace.hephaestus(prune, { env: { ...env, REGISTRY_RAW_PASSWORD: "wrong" } });
  expect(wrong.exitCode, wrong.all).toBe(ExitCode.credentials);
  const dry = await workspace.hephaestus([...prune, "--dry-run"], { env });
  expectOk(dry);
  expect(dry.all).toContain("2 would go");
  expect(await tags()).toEqual(all);

  const pruned = await workspace.hephaestus(prune, { env });
  expectOk(pruned);
  expect(pruned.all).toContain("stays  team/app:pr-3 (is the same image as latest, which stays)");
  expect(pruned.all).toContain("stays  team/app:pr-4 (is the same image as stable, which stays)");
  expect(await tags()).toEqual(["latest", "pr-3", "pr-4", "stable"]);
  const pull = await workspace.run("skopeo", [
    ...["copy", "--all", "--insecure-policy", "--src-tls-verify=false"],
    ...[`docker://${workspace.registry}/team/app:stable`, `oci:${workspace.folder}/pulled:1`],
  ]);
  expectOk(pull);
});

test("usage counts shared layers once, and shows the last push and pull", async () => {
  const { workspace } = target;
  await fetch(`${workspace.registryUrl}/v2/team/app/manifests/latest`, {
    headers: { accept: `${MEDIA.manifest}, ${MEDIA.index}, ${MEDIA.dockerManifest}` },
  });
  const run = await workspace.hephaestus(["usage", "--json"]);
  expectOk(run);
  const told = JSON.parse(run.stdout.trim().split("\n").at(-1) ?? "") as {
    bytes: number;
    repositories: {
      repository: string;
      bytes: number;
      own: number;
      lastPush: string;
      lastPull: string | null;
    }[];
  };
  const hello = told.repositories.find(({ repository }) => repository === "tools/hello");
  const app = told.repositories.find(({ repository }) => repository === "team/app");
  expect(app?.bytes).toBeGreaterThan(20_000);
  expect(told.bytes).toBeLessThanOrEqual((app?.bytes ?? 0) + (hello?.bytes ?? 0));
  for (const date of [app?.lastPush, app?.lastPull])
    expect(Date.now() - Date.parse(date ?? "")).toBeLessThan(600_000);
  const shown = await workspace.hephaestus(["usage", "--no-log"]);
  expect(shown.stdout).toMatch(/^team\/app +\d+ +[\d.]+ kB +█+/m);
});

test("prune-tags without options goes by the rules of the config, and says why each tag stays or goes", async () => {
  const { workspace } = target;
  const env = { REGISTRY_USERNAME: USER, REGISTRY_RAW_PASSWORD: PASSWORD };
  for (const [repository, tags] of [
    ["nightly/app", ["1", "2", "3", "latest"]],
    ["release/app", ["1"]],
  ] as const)
    for (const tag of tags) {
      const image = buildImage(workspace.folder, `${repository.replace("/", "-")}-${tag}`, [1000]);
      const copy = [
        "copy",
        "--insecure-policy",
        "--dest-tls-verify=false",
        "--dest-creds",
        `${USER}:${PASSWORD}`,
      ];
      const to = `docker://${workspace.registry}/${repository}:${tag}`;
      const run = await workspace.run("skopeo", [...copy, `oci:${image.layout}:${TAG}`, to]);
      expectOk(run);
    }
  const file = `${workspace.folder}/hephaestus.yaml`;
  const config = await readFile(file, "utf8");
  const retention = [{ repositories: ["nightly/*"], keep: { last: 1, tags: ["latest"] } }];
  await writeFile(file, JSON.stringify({ ...JSON.parse(config), retention }));
  try {
    const run = await workspace.hephaestus(["prune-tags", "--explain"], { env });
    expectOk(run);
    expect(run.all).toMatch(/stays {2}nightly\/app:latest \(matches latest\)/);
    expect(run.all).toMatch(/stays {2}nightly\/app:3 \(is one of the newest 1, or may be\)/);
    expect(run.all).toMatch(/goes {3}nightly\/app:1 \(has no date\)/);
    expect(run.all).toMatch(/stays {2}release\/app \(no rule of retention matches\)/);
    const left = async (repository: string) =>
      (
        (await (await fetch(`${workspace.registryUrl}/v2/${repository}/tags/list`)).json()) as {
          tags: string[];
        }
      ).tags;
    expect((await left("nightly/app")).sort()).toEqual(["3", "latest"]);
    expect(await left("release/app")).toEqual(["1"]);
  } finally {
    await writeFile(file, config);
  }
});

test("prune-tags keeps signatures with their image, ignores impossible dates, and passes over build caches", async () => {
  const { workspace } = target;
  const env = { REGISTRY_USERNAME: USER, REGISTRY_RAW_PASSWORD: PASSWORD };
  const pusher = new Pusher(workspace.registryUrl);
  const built = async (tag: string, created: string) => {
    const config = Buffer.from(JSON.stringify({ created, tag, os: "linux", architecture: "amd64" }));
    const descriptor = await pusher.upload("team/signed", MEDIA.config, config);
    return pusher.manifest("team/signed", tag, MEDIA.manifest, { config: descriptor, layers: [] });
  };
  const sign = ({ digest }: { digest: string }) =>
    built(`${digest.replace(":", "-")}.sig`, "0001-01-01T00:00:00Z");
  await built("reproducible", "1970-01-01T00:00:00Z");
  await built("buildpack", "1980-01-01T00:00:01Z");
  await sign(await built("new", new Date().toISOString()));
  await sign(await built("old", "2020-01-01T00:00:00Z"));
  const cache = await pusher.buildCache("team/signed", "buildcache");
  const tags = async () => {
    const response = await fetch(`${workspace.registryUrl}/v2/team/signed/tags/list`);
    return ((await response.json()) as { tags: string[] }).tags.sort();
  };
  const before = await tags();
  const prune = ["prune-tags", "--repository", "team/signed"];
  const run = await workspace.hephaestus([...prune, "--older-than", "30d"], { env });
  expectOk(run);
  expect(run.all).toContain("2 removed");
  const after = await tags();
  expect(after).toHaveLength(before.length - 2);
  expect(after).toEqual(expect.arrayContaining(["buildcache", "buildpack", "new", "reproducible"]));
  expect(after.filter((tag) => tag.endsWith(".sig"))).toHaveLength(1);

  // The collection keeps the layers that the cache lists.
  const collected = await workspace.hephaestus(["gc", "--delete-untagged"]);
  expectOk(collected);
  const index = JSON.parse(String(pusher.manifestBytes.get(cache.digest))) as {
    manifests: Array<{ digest: string }>;
  };
  for (const { digest } of index.manifests) {
    const response = await fetch(`${workspace.registryUrl}/v2/team/signed/blobs/${digest}`, {
      method: "HEAD",
    });
    expect(response.status).toBe(200);
  }
});

test("with as many users as fit into a secret another one is added, and no pull fails meanwhile", async () => {
  const { workspace } = target;
  const { id } = await target.container("registry");
  const present = await target.docker("exec", id, "cat", "/run/secrets/htpasswd");
  const input = withManyUsers(present, bcrypt.hashSync(PASSWORD, BCRYPT_COST));
  const [mounted = ""] =
    (
      await target.docker(
        ...[
          "service",
          "inspect",
          "--format",
          "{{range .Spec.TaskTemplate.ContainerSpec.Secrets}}{{println .SecretName}}{{end}}",
        ],
        "days_registry",
      )
    ).match(/^days_htpasswd_\d+$/m) ?? [];
  const generation = Number(mounted.split("_").at(-1)) + 1;
  const labels = ["stack=days", `generation=${generation}`, "secret=htpasswd"];
  const name = `days_htpasswd_${generation}`;
  const create = ["secret", "create", ...labels.flatMap((label) => ["--label", `hephaestus.${label}`])];
  const created = await workspace.run("docker", [...create, name, "-"], { input });
  expectOk(created);
  await target.docker(
    ...["service", "update", "--quiet", "--secret-rm", mounted],
    ...["--secret-add", `source=${name},target=htpasswd,mode=0444`, "days_registry"],
  );
  const file = `${workspace.folder}/one-more`;
  const add = ["user", "add", "one-more", "--until", "2099-12-31", "--password-file", file];
  const { result, count } = await pullDuring(workspace, "tools/hello", workspace.hephaestus(add));
  expectOk(result);
  expect(count.failures).toEqual([]);
  const token = async (user: string, password: string) =>
    (await ask(target.gateway, "GET", "/auth/token", [basic(user, password)])).status;
  expect(await token("one-more", (await readFile(file, "utf8")).trim())).toBe(200);
  expect(await token(ENDED, PASSWORD)).toBe(403);
  expect(await token(LAST, PASSWORD)).toBe(200);
  expect(await token(USER, PASSWORD)).toBe(200);
});

test("destroy asks, removes the stack and nothing else, and leaves the images; --data removes those", async () => {
  const { workspace } = target;
  const image = `${target.storage}/docker/registry/v2/repositories/tools/hello`;
  await workspace.run("docker", ["secret", "create", "days_of-others", "-"], { input: "x" });
  await workspace.run("docker", ["config", "create", "days-of-others", "-"], { input: "x" });
  const asked = await workspace.hephaestus(["destroy"]);
  expect(asked.exitCode).toBe(ExitCode.usage);
  expect(asked.all).toContain("Use --yes in scripts.");
  expect((await status()).told.healthy).toBe(true);

  const destroyed = await workspace.hephaestus(["destroy", "--yes"]);
  expectOk(destroyed);
  expect(await swarmObjects(workspace)).toEqual(["secret days_of-others"]);
  expect(existsSync(image)).toBe(true);
  const gone = await status();
  expect(gone.exitCode).toBe(ExitCode.unhealthy);
  expect(gone.told.faults).toContain("registry: 0/0 tasks run: is not deployed");

  const data = await workspace.hephaestus(["destroy", "--yes", "--data"]);
  expectOk(data);
  expect(existsSync(`${target.storage}/docker`)).toBe(false);
  expect(existsSync(target.storage)).toBe(true);
  expect(await swarmObjects(workspace)).toEqual(["secret days_of-others"]);
  const { stdout } = await workspace.docker("config", "ls", "--format", "{{.Name}}");
  expect(stdout).toContain("days-of-others");
  expect(stdout).not.toContain("days_");
  await workspace.docker("config", "rm", "days-of-others");
});
