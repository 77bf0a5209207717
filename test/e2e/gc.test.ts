import { afterAll, beforeAll, expect, test } from "vitest";
import { ExitCode } from "../../src/errors.js";
import { basicValue } from "../support/basic.js";
import { story } from "../support/story.js";
import { Target } from "./attacks/target.js";
import { buildIndex, MEDIA, TAG } from "./clients/images.js";
import { inParallel, type Population, Pusher, populate } from "./population.js";
import { PASSWORD, USER } from "./stack.js";
import { walkStorage } from "./storage.js";
import { useSwarm } from "./swarm.js";
import { expectOk } from "./workspace.js";

/** Garbage collection while people pull and try to push. */

const swarm = useSwarm();
story();
let target: Target;
let population: Population;
let pusher: Pusher;

beforeAll(async () => {
  target = await Target.deploy("gc", [5000, 8080], swarm, {
    registry: { delete: true },
    ui: { enabled: false },
  });
  population = await populate(target.workspace.registryUrl, { repositories: 6, tagsPerRepository: 10 });
  pusher = new Pusher(target.workspace.registryUrl);
});

afterAll(() => target?.destroy());

interface Told {
  blobs: number;
  bytes: number;
  untagged: string[];
}

/** Runs it with --json, and gives its result. */
async function gc(...args: string[]): Promise<Told> {
  const run = await target.workspace.hephaestus(["gc", "--json", ...args]);
  expectOk(run);
  const line = run.stdout.split("\n").find((text) => text.includes('"event":"result"'));
  return JSON.parse(line ?? "") as Told;
}

/** Digests of blobs that nothing refers to, with their bytes. */
function garbage() {
  const { blobs, referred } = walkStorage(target.storage);
  return [...blobs].filter(([digest]) => !referred.has(digest));
}

const bytesOf = (blobs: Array<[string, number]>) => blobs.reduce((sum, [, size]) => sum + size, 0);

/** How an upload without content is answered: 202 where the registry takes writes. */
async function upload(): Promise<{ status: number; body: string }> {
  const response = await fetch(`${target.workspace.registryUrl}/v2/team/new/blobs/uploads/`, {
    method: "POST",
    headers: { authorization: basicValue(USER, PASSWORD) },
  }).catch((error: unknown) => ({ status: 0, text: async () => String(error) }));
  return { status: response.status, body: await response.text() };
}

const skopeo = (...args: string[]) =>
  target.workspace.run("skopeo", [...args.slice(0, 1), "--insecure-policy", ...args.slice(1)]);

/** Pulls manifests and layers that stay, until the given work is done. */
async function pullDuring<T>(work: Promise<T>): Promise<{ result: T; pulls: number; failures: string[] }> {
  const staying = [...population.manifests].filter(([name]) => /v[5-9]$/.test(name));
  const { referred } = walkStorage(target.storage);
  const layers = [...population.blobs].filter(([digest]) => referred.has(digest)).slice(0, 12);
  let finished = false;
  let pulls = 0;
  const failures: string[] = [];
  const loop = async () => {
    while (!finished) {
      const [name = "", digest = ""] = staying[pulls % staying.length] ?? [];
      const [repository, tag] = name.split(":");
      const [layer, { repository: owner }] = layers[pulls % layers.length] as (typeof layers)[number];
      for (const path of [`${repository}/manifests/${tag}`, `${owner}/blobs/${layer}`]) {
        const response = await fetch(`${target.workspace.registryUrl}/v2/${path}`, {
          headers: { accept: MEDIA.manifest },
          signal: AbortSignal.timeout(10_000),
        }).catch((error: unknown) => ({ status: String(error), headers: new Headers() }));
        pulls++;
        const answered = response.headers.get("docker-content-digest");
        const right = response.status === 200 && answered === (path.includes("/blobs/") ? layer : digest);
        if (!right) failures.push(`${path}: ${response.status} ${answered}`);
        await (response as Response).arrayBuffer?.();
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  const loops = [loop(), loop()];
  const result = await work.finally(() => {
    finished = true;
  });
  await Promise.all(loops);
  return { result, pulls, failures };
}

test("gc frees exactly what nothing refers to, pulls never fail, and pushes are told why", async () => {
  const doomed = [...population.manifests].filter(([name]) => /v[0-4]$/.test(name));
  await inParallel(doomed, ([name, digest]) => pusher.remove(name.split(":")[0] ?? "", digest));
  const expected = garbage();
  // Each image has a manifest, a config and a layer of its own.
  expect(expected.length).toBeGreaterThanOrEqual(3 * doomed.length);
  const before = walkStorage(target.storage);

  const dry = await gc("--dry-run");
  expect(dry).toMatchObject({ blobs: expected.length, bytes: bytesOf(expected), untagged: [] });
  expect(walkStorage(target.storage)).toEqual(before);

  const uploads: Array<{ status: number; body: string }> = [];
  let running = true;
  const pushing = (async () => {
    while (running) {
      uploads.push(await upload());
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  })();
  const { result, pulls, failures } = await pullDuring(
    gc().finally(() => {
      running = false;
    }),
  );
  await pushing;
  expect(result).toMatchObject({ blobs: expected.length, bytes: bytesOf(expected) });
  console.log(
    `gc freed ${result.blobs} blobs, ${result.bytes} bytes; ${pulls} pulls, ${failures.length} failed`,
  );
  expect(failures).toEqual([]);
  expect(pulls).toBeGreaterThan(0);

  const after = walkStorage(target.storage);
  expect(garbage()).toEqual([]);
  expect(new Set(after.blobs.keys())).toEqual(
    new Set([...before.blobs.keys()].filter((digest) => before.referred.has(digest))),
  );
  expect(after.manifests).toEqual(before.manifests);

  const refused = uploads.filter(({ status }) => status !== 202);
  expect(refused.length).toBeGreaterThan(0);
  for (const { status, body } of refused) {
    expect(status, body).toBe(405);
    expect(body).toContain("read-only for maintenance (garbage collection), try again in some minutes");
  }
  expect((await upload()).status).toBe(202);
});

test("--delete-untagged frees what no tag needs, and nothing that an index holds", async () => {
  const { workspace } = target;
  const index = buildIndex(workspace.folder, "multi");
  const url = `docker://${workspace.registry}/team/multi:stable`;
  const pushed = await skopeo(
    ...["copy", "--all", "--dest-tls-verify=false", "--dest-creds", `${USER}:${PASSWORD}`],
    ...[`oci:${index.layout}:${TAG}`, url],
  );
  expectOk(pushed);
  const old = await pusher.image("team/moved", [], "latest");
  const subject = { mediaType: MEDIA.manifest, digest: old.digest, size: old.size };
  const kept = await pusher.image("team/moved", [], "latest");
  const empty = await pusher.upload("team/moved", MEDIA.empty, Buffer.from("{}"));
  const signature = (of: object) =>
    pusher.manifest("team/moved", undefined, MEDIA.manifest, { config: empty, layers: [empty], subject: of });
  const orphan = await signature(subject);
  const attached = await signature({ mediaType: MEDIA.manifest, digest: kept.digest, size: kept.size });

  // The registry's own flag would take an index's images away.
  const registry = await target.container("registry");
  const own = await target.docker(
    ...["exec", registry.id, "registry", "garbage-collect", "--dry-run", "--delete-untagged"],
    "/etc/docker/registry/config.yml",
  );
  const children = walkStorage(target.storage).manifests;
  const ofIndex = [...children].filter(
    (name) => name.startsWith("team/multi@") && !name.includes(index.root.digest),
  );
  expect(ofIndex).toHaveLength(2);
  for (const name of ofIndex) expect(own).toContain(`eligible for deletion: ${name.split("@")[1]}`);

  const doomed = [`team/moved@${old.digest}`, `team/moved@${orphan.digest}`].sort();
  const again = await pusher.image("team/again", [], "v1");
  await pusher.remove("team/again", again.digest);
  const dry = await gc("--dry-run", "--delete-untagged");
  expect(dry.untagged.sort()).toEqual(doomed);
  expect(walkStorage(target.storage).manifests.has(doomed[0] ?? "")).toBe(true);

  const done = await gc("--delete-untagged");
  expect(done.untagged.sort()).toEqual(doomed);
  expect(done).toMatchObject({ blobs: dry.blobs, bytes: dry.bytes });
  expect(garbage()).toEqual([]);
  const { manifests } = walkStorage(target.storage);
  for (const name of [...ofIndex, `team/moved@${kept.digest}`, `team/moved@${attached.digest}`])
    expect(manifests.has(name), name).toBe(true);
  expect(manifests.has(doomed[0] ?? "")).toBe(false);
  const pulled = await skopeo(
    "copy",
    "--all",
    "--src-tls-verify=false",
    url,
    `oci:${workspace.folder}/pulled:1`,
  );
  expectOk(pulled);

  // What was collected can be pushed again: the registry remembers nothing of it.
  expect(walkStorage(target.storage).blobs.has(again.digest)).toBe(false);
  const { config, layers } = JSON.parse(String(pusher.manifestBytes.get(again.digest))) as {
    config: { digest: string };
    layers: Array<{ digest: string }>;
  };
  for (const { digest } of [config, ...layers])
    await pusher.upload("team/again", MEDIA.layer, pusher.blobs.get(digest)?.bytes ?? Buffer.alloc(0));
  const pushedAgain = await pusher.manifest("team/again", "v1", MEDIA.manifest, { config, layers });
  expect(pushedAgain.digest).toBe(again.digest);
  expect(garbage()).toEqual([]);
});

/** The gateway looks the registry up once a second, so a task that was replaced may answer that long. */
const uploadsAre = (status: number) =>
  expect.poll(async () => (await upload()).status, { timeout: 15_000, interval: 500 }).toBe(status);

test("killed in the middle, the next command makes the registry writable; Ctrl-C does it at once", async () => {
  const { workspace } = target;
  const killed = await workspace.hephaestus(["gc"], {
    killSignalAfter: { signal: "SIGKILL", when: /gc \.\.\./ },
  });
  expect(killed.exitCode).toBe(255);
  await uploadsAre(405);
  // A real client shows its person why.
  const index = `oci:${workspace.folder}/multi:${TAG}`;
  const push = await skopeo(
    ...["copy", "--all", "--dest-tls-verify=false", "--dest-creds", `${USER}:${PASSWORD}`],
    ...[index, `docker://${workspace.registry}/team/refused:1`],
  );
  expect(push.exitCode).not.toBe(0);
  expect(push.all).toContain("read-only for maintenance");
  const prune = await workspace.hephaestus(["prune-tags", "--match", "v9", "--keep-last", "0"], {
    env: { REGISTRY_USERNAME: USER, REGISTRY_RAW_PASSWORD: PASSWORD },
  });
  expect(prune.exitCode).toBe(ExitCode.verify);
  expect(prune.all).toMatch(/read-only for maintenance.*\n.*when gc has finished/);
  const status = await workspace.hephaestus(["status", "--json"]);
  expect(status.exitCode).toBe(ExitCode.unhealthy);
  expect(status.stdout).toContain("pushes are refused until");

  const dry = await workspace.hephaestus(["gc", "--dry-run"]);
  expectOk(dry);
  await uploadsAre(202);
  expect(await target.docker("service", "ls", "--format", "{{.Name}}")).not.toContain("job");

  const interrupted = await workspace.hephaestus(["gc"], {
    killSignalAfter: { signal: "SIGINT", when: /gc \.\.\./ },
  });
  expect(interrupted.exitCode, interrupted.all).toBe(ExitCode.interrupted);
  await uploadsAre(202);
  expect(await target.docker("service", "ls", "--format", "{{.Name}}")).not.toContain("job");
});

test("a registry whose collector never comes back takes pushes again by itself", async () => {
  const until = Math.floor(Date.now() / 1000) + 25;
  await target.docker(
    ...["service", "update", "--quiet", "--env-add", `HEPHAESTUS_READONLY_UNTIL=${until}`, "gc_registry"],
  );
  // The task from before takes pushes until it has ended.
  await expect.poll(() => target.containers("registry")).toHaveLength(1);
  await uploadsAre(405);
  await expect.poll(async () => (await upload()).status, { timeout: 60_000, interval: 500 }).toBe(202);
  expect(Date.now() / 1000).toBeGreaterThan(until - 1);
});
