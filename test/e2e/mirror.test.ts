import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ExitCode } from "../../src/errors.js";
import { story } from "../support/story.js";
import { buildImage, buildIndex, type Image, MEDIA } from "./clients/images.js";
import { pushLayout } from "./clients/oci.js";
import { OciClient } from "./clients/ociClient.js";
import { SourceRegistry } from "./mirror/sourceRegistry.js";
import { CREDENTIALS, DEPLOY, PASSWORD, USER, writeConfig } from "./stack.js";
import { useSwarm } from "./swarm.js";
import { expectOk, Workspace } from "./workspace.js";

/** Images are brought home by the real regsync, from a second real registry. */

const swarm = useSwarm();
story();
let folder: string;
let workspace: Workspace;
let origin: SourceRegistry;
/** The source registry as containers reach it. */
let home: string;
let multi: Image;
/** Our own registry, without a login and with one. */
let anyone: OciClient;
let smith: OciClient;

const hephaestus = (...args: string[]) => workspace.hephaestus(args, { env: CREDENTIALS });

async function deploy(mirror: object[]): Promise<void> {
  await writeConfig(workspace, swarm, {
    root: { mirror, regsync: { image: swarm.images.regsync } },
    registry: { delete: true },
    ui: { enabled: false },
  });
  await hephaestus("render");
  const run = await hephaestus(...DEPLOY);
  expectOk(run);
}

const source = (registry: string, name: string, ...tags: string[]) => ({
  from: `${registry}/library/${name}`,
  to: `mirror/${name}`,
  tags,
  plainHttp: true,
});
const app = () => source(home, "app", "3.2*", ">=4.0.0 <5");

/** Attaches a signature to an image of the source registry: as a referrer, and as a tag that is named after its digest. */
async function sign(image: Image): Promise<{ referrer: string; tag: string }> {
  const referrer = await origin.oci.attach(
    "library/app",
    image.root,
    "application/vnd.example.signature",
    Buffer.from("signed"),
  );
  const tag = `${image.root.digest.replace(":", "-")}.sig`;
  const { body } = await origin.oci.manifest("library/app", referrer);
  const { subject: _, ...manifest } = JSON.parse(String(body)) as Record<string, unknown>;
  await origin.oci.putManifest("library/app", tag, Buffer.from(JSON.stringify(manifest)), MEDIA.manifest);
  return { referrer, tag };
}

beforeAll(async () => {
  folder = await mkdtemp(`${tmpdir()}/mirror-`);
  origin = await SourceRegistry.start(swarm.images.registry3, folder);
  home = await origin.open();
  multi = buildIndex(folder, "multi");
  await pushLayout(origin.oci, multi, "library/app:3.20");
  await pushLayout(origin.oci, buildImage(folder, "four", [40_000]), "library/app:4.1.0");
  await pushLayout(origin.oci, buildImage(folder, "other", [30_000]), "library/app:edge");
  workspace = await Workspace.create("mirror", 5020, 8100);
  anyone = new OciClient(workspace.registryUrl);
  smith = new OciClient(workspace.registryUrl, `${USER}:${PASSWORD}`);
  await deploy([]);
  await pushLayout(smith, buildImage(folder, "own", [20_000]), "own/app:latest");
});

afterAll(async () => {
  await workspace?.destroy();
  await origin?.end();
  await rm(folder, { recursive: true, force: true });
});

const digest = (client: OciClient, repository: string, tag: string) =>
  client.manifest(repository, tag).then(
    (answer) => answer.digest,
    () => undefined,
  );

test("a mirror comes to a running stack, and brings what is missing with its signatures", async () => {
  const signature = await sign(multi);
  await deploy([app()]);

  await expect
    .poll(() => digest(anyone, "mirror/app", "3.20"), { timeout: 60_000, interval: 500 })
    .toBe(multi.root.digest);
  await expect
    .poll(() => digest(anyone, "mirror/app", "4.1.0"), { timeout: 60_000 })
    .toBe(await digest(origin.oci, "library/app", "4.1.0"));
  expect(await anyone.tags("mirror/app")).not.toContain("edge");
  const { body } = await anyone.manifest("mirror/app", "3.20");
  for (const part of (JSON.parse(String(body)) as { manifests: { digest: string }[] }).manifests)
    expect(await digest(anyone, "mirror/app", part.digest)).toBe(part.digest);
  expect(await digest(anyone, "mirror/app", signature.tag)).toBe(
    await digest(origin.oci, "library/app", signature.tag),
  );
  const referrers = await anyone.referrers("mirror/app", multi.root.digest);
  expect(referrers.map((one) => one.digest)).toEqual([signature.referrer]);
});

test("secrets prune removes a generation from before the mirror", async () => {
  const label = ["--label", `hephaestus.stack=${workspace.stack}`];
  for (const kind of ["gateway", "ui"])
    await workspace.run("docker", ["secret", "create", ...label, `${workspace.stack}_${kind}_77`, "-"], {
      input: "x",
    });
  const run = await hephaestus("secrets", "prune");
  expectOk(run);
  expect(run.stdout).toBe("removed mirror_gateway_77\nremoved mirror_ui_77");
});

test("a tag that moved is seen, and copied by a run", async () => {
  const moved = buildIndex(folder, "moved");
  await pushLayout(origin.oci, moved, "library/app:3.20");
  const before = await hephaestus("mirror", "status", "--json");
  expect(before.exitCode, before.all).toBe(ExitCode.unhealthy);
  const { images } = JSON.parse(before.stdout.trim().split("\n").at(-1) ?? "") as {
    images: { tag: string; state: string; here: string; there: string }[];
  };
  expect(images.find(({ tag }) => tag === "3.20")).toMatchObject({
    state: "differs",
    here: multi.root.digest,
  });
  expect(images.find(({ tag }) => tag === "4.1.0")).toMatchObject({ state: "same" });

  const run = await hephaestus("mirror", "run", "app");
  expectOk(run);
  expect(run.stdout).toContain(`${home}/library/app:3.20 -> ${workspace.registry}/mirror/app:3.20`);
  expect(await digest(anyone, "mirror/app", "3.20")).toBe(moved.root.digest);
  // What it was can still be pulled by its digest.
  expect(await digest(anyone, "mirror/app", multi.root.digest)).toBe(multi.root.digest);

  const after = await hephaestus("mirror", "status");
  expectOk(after);
  expect(after.stdout).toMatch(
    /^mirror\/app:3\.20 +\S+library\/app:3\.20 +(\w{12}) +\1 +same +\d{4}-\d\d-\d\d \d\d:\d\d$/m,
  );
});

test("a source that limits pulls, breaks off or has no such image is named, and the others are copied", async () => {
  await pushLayout(origin.oci, buildImage(folder, "new", [200_000]), "library/app:3.22");
  // Each has an address of its own: regsync asks a registry that failed less often.
  const faulty: object[] = [];
  for (const fault of ["limited", "breaking"] as const) {
    await pushLayout(origin.oci, buildImage(folder, fault, [300_000]), `library/${fault}:1`);
    faulty.push(source(await origin.open(fault), fault, "1"));
  }
  await deploy([app(), ...faulty, source(home, "gone", "*")]);
  const run = await hephaestus("mirror", "run");
  expect(run.exitCode, run.all).toBe(ExitCode.verify);
  expect(run.all).toMatch(/library\/limited:1: the source limits how much is pulled/);
  expect(run.all).toMatch(/library\/breaking:1: /);
  expect(run.all).toMatch(/library\/gone: is not there/);
  expect(await anyone.tags("mirror/app")).toEqual(expect.arrayContaining(["3.20", "3.22", "4.1.0"]));
  const history = await hephaestus("history");
  expect(history.stdout).toMatch(/ mirror .* \d copied, \d unchanged, 3 failed$/m);
  origin.recover();
  for (const name of ["limited", "breaking"]) {
    const again = await hephaestus("mirror", "run", name);
    expectOk(again);
    expect(await digest(anyone, `mirror/${name}`, "1")).toBe(
      await digest(origin.oci, `library/${name}`, "1"),
    );
  }
});

test("a stolen account of the mirror writes its targets and nothing else", async () => {
  const { stdout: container } = await workspace.docker(
    "ps",
    "--quiet",
    "--filter",
    "label=com.docker.swarm.service.name=mirror_mirror",
  );
  const { stdout: login } = await workspace.docker("exec", container.trim(), "cat", "/run/secrets/mirror");
  expect(login).toMatch(/^hephaestus-mirror\S*:\S{40,}$/);
  const thief = new OciClient(workspace.registryUrl, login);
  const image = buildImage(folder, "stolen", [10_000]);
  await pushLayout(thief, image, "mirror/app:3.29");
  for (const repository of ["own/app", "mirror/app-2", "mirror", "mirror/app/deeper"])
    await expect(pushLayout(thief, image, `${repository}:1`)).rejects.toThrow("403");
  await expect(thief.deleteManifest("mirror/app", image.root.digest)).rejects.toThrow("403");
  const environment = await workspace.docker("inspect", container.trim());
  expect(environment.stdout).not.toContain(login.split(":")[1]);
});

test("the stack's own images come home, and a deploy takes them from here though the registry is down", async () => {
  const images = {
    registry: "registry:2.8.2",
    nginx: "nginx:1.30",
    ui: "registry-ui:2.6.0",
    regsync: "regsync:0.11.7",
  } as const;
  const own = Object.fromEntries(
    Object.entries(images).map(([name, image]) => [name, `${home}/standin/${image}`]),
  );
  for (const [name, image] of Object.entries(images)) {
    const there = `${origin.address}/standin/${image}`;
    for (const target of [there, own[name] ?? ""])
      await workspace.docker("tag", swarm.images[name as keyof typeof images], target);
    const push = await workspace.docker("push", there);
    expectOk(push);
  }
  await writeConfig(
    workspace,
    { ...swarm, images: { ...swarm.images, ...own } },
    {
      root: { mirror: [app()], regsync: { image: own.regsync } },
      registry: { delete: true },
    },
  );
  const early = await hephaestus("mirror", "self", "--use", "--yes");
  expect(early.exitCode, early.all).toBe(ExitCode.preflight);
  const redeploy = async (...args: string[]) => {
    const edit = await hephaestus("mirror", "self", "--yes", ...args);
    expectOk(edit);
    await hephaestus("render");
    const run = await hephaestus("deploy");
    expectOk(run);
  };
  const imageOf = async (service: string) =>
    (
      await workspace.docker(
        "service",
        "inspect",
        "--format",
        "{{.Spec.TaskTemplate.ContainerSpec.Image}}",
        `mirror_${service}`,
      )
    ).stdout.trim();
  await redeploy();
  const run = await hephaestus("mirror", "run", "self");
  expectOk(run);
  await redeploy("--use");
  for (const [service, image] of [
    ["registry", "registry:2.8.2"],
    ["gateway", "nginx:1.30"],
    ["registry-ui", "registry-ui:2.6.0"],
    ["mirror", "regsync:0.11.7"],
  ] as const)
    expect(await imageOf(service)).toMatch(
      new RegExp(`^${workspace.registry}/mirror/standin/${image}@sha256:`),
    );

  await workspace.docker("service", "scale", "--detach", "mirror_registry=0", "mirror_gateway=0");
  await expect
    .poll(() => digest(anyone, "own/app", "latest").then((found) => found ?? "down"), { timeout: 30_000 })
    .not.toMatch(/^sha256:/);
  const repair = await hephaestus("deploy");
  expectOk(repair);
  expect(repair.all).toContain("cannot be asked for the stack's images");
  expect(await digest(anyone, "own/app", "latest")).toMatch(/^sha256:/);
});

test("a source that dies in the middle is named, and the images pull from here without it", async () => {
  // In a repository that is mirrored through this endpoint alone: a mirror that just started would copy it otherwise.
  await pushLayout(origin.oci, buildImage(folder, "last", [200_000]), "library/last:1");
  const dying = await origin.open("dying");
  await deploy([{ ...app(), from: `${dying}/library/app` }, source(dying, "last", "1")]);
  const run = await hephaestus("mirror", "run");
  expect(run.exitCode, run.all).toBe(ExitCode.verify);
  expect(run.all).toContain("the source does not answer");
  expect(await digest(anyone, "mirror/last", "1")).toBeUndefined();
  const names = await anyone.tags("mirror/app");
  expect(names).toEqual(expect.arrayContaining(["3.20", "3.22", "4.1.0"]));
  for (const tag of ["3.20", "3.22", "4.1.0"]) {
    const { body } = await anyone.manifest("mirror/app", tag);
    const { manifests, config, layers = [] } = JSON.parse(String(body));
    for (const part of manifests ?? [])
      expect(await digest(anyone, "mirror/app", part.digest)).toBe(part.digest);
    for (const blob of config ? [config, ...layers] : []) await anyone.blob("mirror/app", blob);
  }
});
