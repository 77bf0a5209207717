/**
 * Stand-ins for the images of a registry stack, made from Debian's packages without pulling anything: they keep what the
 * stack relies on in the originals (paths, users, entry points, variables), so that it runs unchanged where no image can
 * be pulled. The files below `standins/` are ours; the programs are Debian's.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { ExitCode, OperatorError } from "../../src/errors.js";
import { goProgram } from "./goPrograms.js";
import { madeAside } from "./madeAside.js";
import { fetchPackages, unpackedNginx, unpackNginx } from "./packages.js";
import { NGINX_FOLDER, PATH, RECIPES, type Recipe, STANDINS, type Standin } from "./standins/recipes.js";

export interface StandinOptions {
  /** The engine that gets the images, as in DOCKER_HOST. */
  dockerHost: string;
  /** Where the downloaded packages stay; an absolute path. */
  cacheDir: string;
  /** Gets one line for a person before each slow step. */
  report: (line: string) => void;
}

const SOURCES = fileURLToPath(new URL("./standins", import.meta.url));
const INPUTS_LABEL = "hephaestus.standin.inputs";
const NGINX_UID = 101;

/**
 * Builds the images that the engine does not have yet, or has from other inputs (packages, files below `standins/`, this
 * recipe). Needs root, and the network for the first download of the packages.
 *
 * @returns the names of the images.
 * @throws OperatorError if the packages cannot be had or the engine refuses an image.
 */
export async function buildStandins({
  dockerHost,
  cacheDir,
  report,
}: StandinOptions): Promise<typeof STANDINS> {
  const sources = await readSources(cacheDir, report);
  const missing: Standin[] = [];
  for (const name of buildable(cacheDir))
    if ((await builtFrom(dockerHost, STANDINS[name])) !== sources.inputs) missing.push(name);
  await makeArchives(sources, missing);
  for (const name of missing) await load(dockerHost, archiveOf(sources, name), STANDINS[name]);
  return STANDINS;
}

/** Makes all images as archives, unless the cache has them: engines that are started at once find them there. */
export async function makeStandins({
  cacheDir,
  report,
}: Pick<StandinOptions, "cacheDir" | "report">): Promise<void> {
  await makeArchives(await readSources(cacheDir, report), buildable(cacheDir));
}

/** What the images are made from. */
interface Sources extends Pick<StandinOptions, "cacheDir" | "report"> {
  packages: ReadonlyMap<string, string>;
  /** One hash over all of it. */
  inputs: string;
}

async function readSources(cacheDir: string, report: StandinOptions["report"]): Promise<Sources> {
  const packages = await fetchPackages(cacheDir, report);
  await unpackNginx(cacheDir, report);
  return { cacheDir, report, packages, inputs: await hashInputs([...packages.values()], cacheDir) };
}

/** Images whose programs are there. The demo builds none. */
const buildable = (cacheDir: string): Standin[] =>
  (Object.keys(STANDINS) as Standin[]).filter((name) => {
    const { goProgram: program }: Recipe = RECIPES[name];
    return !program || existsSync(goProgram(cacheDir, program[0]));
  });

const archiveOf = ({ cacheDir, inputs }: Sources, name: Standin): string =>
  `${cacheDir}/images/${name}-${inputs}.tar`;

/** Makes the archives that the cache lacks. */
async function makeArchives(sources: Sources, names: readonly Standin[]): Promise<void> {
  const { cacheDir, report, packages, inputs } = sources;
  const unmade = names.filter((name) => !existsSync(archiveOf(sources, name)));
  if (unmade.length === 0) return;
  report(`Building the stand-in images ${unmade.join(", ")}`);
  const work = await mkdtemp(`${tmpdir()}/standins-`);
  try {
    await mkdir(`${work}/packages`);
    for (const [name, deb] of packages)
      await execa("dpkg-deb", ["--extract", deb, `${work}/packages/${name}`]);
    await symlink(unpackedNginx(cacheDir), `${work}/packages/${NGINX_FOLDER}`);
    for (const name of unmade)
      await madeAside(cacheDir, archiveOf(sources, name), async (folder) => {
        await assemble(`${folder}/root`, `${work}/packages`, cacheDir, RECIPES[name]);
        return archive(folder, name, inputs);
      });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Puts an image's root file system together in the folder `root`. */
async function assemble(root: string, packages: string, cacheDir: string, recipe: Recipe): Promise<void> {
  for (const directory of [
    "bin",
    "lib",
    "run",
    "tmp",
    "var/tmp",
    "usr/bin",
    "usr/sbin",
    "sbin",
    "root",
    ...recipe.directories,
  ]) {
    await mkdir(`${root}/${directory}`, { recursive: true });
  }
  await installBusybox(root, `${packages}/busybox-static/bin/busybox`);
  for (const name of (await readdir(packages)).filter((name) => recipe.libraries.test(name))) {
    await copyLibraries(`${packages}/${name}`, root);
  }
  for (const [name, from, to] of recipe.programs) await cp(`${packages}/${name}/${from}`, `${root}/${to}`);
  if (recipe.goProgram) await cp(goProgram(cacheDir, recipe.goProgram[0]), `${root}/${recipe.goProgram[1]}`);
  for (const overlay of recipe.overlays) await cp(`${SOURCES}/${overlay}`, root, { recursive: true });
  for (const [target, path] of recipe.links) await symlink(target, `${root}/${path}`);
  // A checkout has the modes of somebody's umask.
  await execa("chmod", ["-R", "u=rwX,go=rX", root]);
  await execa("find", [root, "-name", "*.sh", "-exec", "chmod", "755", "{}", "+"]);
  for (const path of ["tmp", "var/tmp"]) await chmod(`${root}/${path}`, 0o1777);
  for (const path of recipe.ownedByNginx)
    await execa("chown", ["-hR", `${NGINX_UID}:${NGINX_UID}`, `${root}/${path}`]);
}

/** BusyBox knows where each of its programs belongs; what an image brings itself (`nginx`) is copied later and wins. */
async function installBusybox(root: string, busybox: string): Promise<void> {
  await cp(busybox, `${root}/bin/busybox`);
  const { stdout } = await execa(busybox, ["--list-full"]);
  const applets = stdout
    .split("\n")
    .filter((path) => /^(usr\/)?s?bin\//.test(path) && path !== "bin/busybox");
  for (const path of applets) await symlink("/bin/busybox", `${root}/${path}`);
}

/** The shared objects right below the multiarch folder, and the dynamic loader where its absolute path expects it. */
async function copyLibraries(unpacked: string, root: string): Promise<void> {
  const find = [
    "-regex",
    ".*/\\(lib/[^/]*-linux-gnu[^/]*/[^/]*\\.so[^/]*\\|lib64/ld-[^/]*\\|lib/ld-[^/]*\\)",
    "-printf",
    "%P\\n",
  ];
  const { stdout } = await execa("find", [`${unpacked}/`, ...find]);
  for (const path of stdout.split("\n").filter(Boolean)) {
    // Newer packages have all of it below usr/.
    await cp(`${unpacked}/${path}`, `${root}/${path.replace(/^usr\//, "")}`, {
      verbatimSymlinks: true,
      recursive: true,
    });
  }
}

/**
 * Makes an image of one layer of the root file system in a folder, in the format of `docker save`. Not for `docker import`,
 * which cannot set a stop signal. No clock goes in: the same inputs give the same image.
 *
 * @returns the archive's path
 */
async function archive(folder: string, name: Standin, inputs: string): Promise<string> {
  const image = `${folder}/image`;
  await mkdir(image);
  const reproducible = ["--sort=name", "--mtime=@0", "--numeric-owner", "--format=gnu"];
  await execa("tar", [
    "--create",
    ...reproducible,
    "--file",
    `${image}/layer.tar`,
    "--directory",
    `${folder}/root`,
    ".",
  ]);
  const layer = createHash("sha256")
    .update(await readFile(`${image}/layer.tar`))
    .digest("hex");
  const config = {
    architecture: process.arch === "x64" ? "amd64" : process.arch,
    os: "linux",
    config: { Env: [PATH], Labels: { [INPUTS_LABEL]: inputs }, ...RECIPES[name].config },
    rootfs: { type: "layers", diff_ids: [`sha256:${layer}`] },
    created: "1970-01-01T00:00:00Z",
    history: [{ created_by: "hephaestus test/support/standIns.ts" }],
  };
  const manifest = [{ Config: "config.json", RepoTags: [STANDINS[name]], Layers: ["layer.tar"] }];
  await writeFile(`${image}/config.json`, JSON.stringify(config));
  await writeFile(`${image}/manifest.json`, JSON.stringify(manifest));
  await execa("tar", ["--create", "--file", `${image}.tar`, "--directory", image, "."]);
  return `${image}.tar`;
}

async function load(dockerHost: string, file: string, image: string): Promise<void> {
  const result = await execa("docker", ["--host", dockerHost, "load", "--input", file], {
    reject: false,
  });
  if (!result.failed) return;
  throw new OperatorError(`docker load of ${image} failed: ${result.stderr}`, {
    remedy: "Look at the engine's log, and at the free disk space.",
    exitCode: ExitCode.preflight,
    cause: result,
  });
}

async function builtFrom(dockerHost: string, image: string): Promise<string | undefined> {
  const format = `{{ index .Config.Labels "${INPUTS_LABEL}" }}`;
  const args = ["--host", dockerHost, "image", "inspect", "--format", format, image];
  const { failed, stdout } = await execa("docker", args, { reject: false });
  return failed ? undefined : stdout.trim();
}

/** One hash over all that makes the images: the packages and programs by their paths (which hold versions), our files, this file. */
async function hashInputs(debs: string[], cacheDir: string): Promise<string> {
  const hash = createHash("sha256");
  for (const { goProgram: program } of Object.values(RECIPES))
    if (program) hash.update(goProgram("", program[0]));
  hash.update(basename(unpackedNginx(cacheDir)));
  for (const deb of debs) hash.update(deb.slice(deb.lastIndexOf("/")));
  const entries = await readdir(SOURCES, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => `${entry.parentPath}/${entry.name}`);
  for (const file of [fileURLToPath(import.meta.url), ...files.sort()]) {
    hash.update(file.slice(file.indexOf("/standins"))).update(await readFile(file));
  }
  return hash.digest("hex");
}
