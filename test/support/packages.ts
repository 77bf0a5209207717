/** The Debian packages that the stand-in images are made of: downloaded once, never installed on this machine. */
import { existsSync } from "node:fs";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { execa } from "execa";
import { ExitCode, OperatorError } from "../../src/errors.js";
import { madeAside } from "./madeAside.js";

const PROGRAMS = ["busybox-static", "docker-registry"];
/** The gateway needs nginx 1.30 with njs 0.9.9 (js_access), which the stable releases of Debian do not have. */
const NGINX_RELEASE = "forky";
const NGINX_PACKAGES = ["nginx", "libnginx-mod-http-js"];
/** What nginx depends on only while it is installed. */
const UNUSED = /^(systemd|libsystemd-shared|debconf|libc-gconv)/;
const LIBRARY = /^(lib[a-z]|zlib1g)/;

/**
 * Downloads the packages of the programs and of the libraries that they name, in the newest version that apt knows, or
 * takes what an earlier call left. Needs the network in the first case alone.
 *
 * @param cacheDir an absolute path; made if it is missing. Remove it for newer packages.
 * @param report gets one line for a person before each slow step.
 * @returns the path of the .deb file of each package by the package's name; keys in a stable order.
 * @throws OperatorError if apt is missing or cannot download them.
 */
export async function fetchPackages(
  cacheDir: string,
  report: (line: string) => void,
): Promise<Map<string, string>> {
  const debs = `${cacheDir}/debs`;
  const found = await readdir(debs).catch(() => undefined);
  const cached = PROGRAMS.every((name) => found?.some((file) => file.startsWith(`${name}_`)))
    ? found
    : undefined;
  if (cached === undefined) {
    // What an older version of this program kept may lack a package.
    await rm(debs, { recursive: true, force: true });
    await madeAside(cacheDir, debs, async (folder) => {
      report("Downloading Debian packages for the stand-in images");
      await withLists(() => downloadWithLibraries(folder));
      return folder;
    });
  }
  const files = (cached ?? (await readdir(debs))).filter((file) => file.endsWith(".deb")).sort();
  return new Map(files.map((file) => [file.slice(0, file.indexOf("_")), `${debs}/${file}`]));
}

/**
 * Downloads packages alone, without what they depend on.
 *
 * @throws OperatorError if apt is missing or cannot download them
 */
export const downloadPackages = (names: readonly string[], dir: string): Promise<void> =>
  withLists(() => download(names, dir));

/** Where the files of nginx are after `unpackNginx`, with its libraries. */
export const unpackedNginx = (cacheDir: string): string => `${cacheDir}/debian/${NGINX_RELEASE}-nginx`;

/**
 * Unpacks nginx from the packages of a newer release, unless it is there. Needs the network, 100 MB for some seconds, and no root:
 * the lists and the packages are in a folder of their own.
 *
 * @param cacheDir an absolute path; remove it for a newer nginx
 * @param report gets one line for a person before it begins
 * @returns what `unpackedNginx` says
 * @throws OperatorError if apt cannot download the packages
 */
export async function unpackNginx(cacheDir: string, report: (line: string) => void): Promise<string> {
  const target = unpackedNginx(cacheDir);
  if (existsSync(target)) return target;
  report(`Unpacking the nginx of Debian ${NGINX_RELEASE}`);
  await madeAside(cacheDir, target, async (folder) => {
    for (const path of ["state/lists/partial", "cache/archives/partial"])
      await mkdir(`${folder}/${path}`, { recursive: true });
    const keys = "/usr/share/keyrings/debian-archive-keyring.gpg";
    await writeFile(
      `${folder}/sources.list`,
      `deb [signed-by=${keys}] ${await debianMirror()} ${NGINX_RELEASE} main\n`,
    );
    const settings = [
      `Dir::Etc::SourceList=${folder}/sources.list`,
      "Dir::Etc::SourceParts=/dev/null",
      `Dir::State=${folder}/state`,
      // Nothing is installed, so that the libraries come too.
      "Dir::State::status=/dev/null",
      `Dir::Cache=${folder}/cache`,
      "APT::Sandbox::User=root",
      "Acquire::Languages=none",
    ].flatMap((setting) => ["-o", setting]);
    await apt("apt-get", [...settings, "update"]);
    const install = ["install", "--yes", "--no-install-recommends", "--download-only", ...NGINX_PACKAGES];
    await apt("apt-get", [...settings, ...install]);
    const archives = `${folder}/cache/archives`;
    const debs = (await readdir(archives)).filter((name) => name.endsWith(".deb") && !UNUSED.test(name));
    for (const name of debs) await execa("dpkg-deb", ["--extract", `${archives}/${name}`, `${folder}/root`]);
    return `${folder}/root`;
  });
  return target;
}

/**
 * The mirror of Debian that this machine uses, or HEPHAESTUS_DEBIAN, which a machine with another distribution needs.
 *
 * @throws OperatorError if there is neither
 */
async function debianMirror(): Promise<string> {
  const given = process.env.HEPHAESTUS_DEBIAN;
  if (given) return given;
  const uris = await apt("apt-get", ["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]);
  const found = uris.split("\n").find((uri) => /\/debian\/?$/.test(uri));
  if (found !== undefined) return found;
  throw new OperatorError("no package source is a mirror of Debian", {
    where: "apt-get indextargets",
    remedy: "Set HEPHAESTUS_DEBIAN to the address of one, and install debian-archive-keyring.",
    exitCode: ExitCode.preflight,
  });
}

/** The package lists may be missing or older than the mirror. */
async function withLists(work: () => Promise<void>): Promise<void> {
  await work().catch(async () => {
    await apt("apt-get", ["update"]);
    await work();
  });
}

async function download(names: readonly string[], dir: string): Promise<void> {
  await apt("apt-get", ["download", "-o", "APT::Sandbox::User=root", ...names], dir);
}

async function downloadWithLibraries(dir: string): Promise<void> {
  const facts = await apt("apt-cache", ["show", "--no-all-versions", ...PROGRAMS]);
  const depends = facts.split("\n").filter((line) => line.startsWith("Depends:"));
  const names = depends
    .flatMap((line) => line.slice("Depends:".length).split(/[,|]/))
    .map((entry) => entry.trim().split(/[ :]/)[0] ?? "");
  const libraries = new Set(names.filter((name) => LIBRARY.test(name)));
  await download([...PROGRAMS, ...libraries], dir);
}

async function apt(command: string, args: string[], cwd = "/"): Promise<string> {
  const result = await execa(command, args, {
    cwd,
    env: { LC_ALL: "C" },
    stdin: "ignore",
    reject: false,
    timeout: 300_000,
  });
  if (!result.failed) return result.stdout;
  const detail = result.stderr?.trim().split("\n").slice(-4).join("\n") || result.shortMessage;
  throw new OperatorError(`${command} failed: ${detail}`, {
    where: args.filter((word) => !/^-|=/.test(word)).join(" "),
    remedy:
      "The stand-in images need Debian 12 or Ubuntu 24.04, their package mirrors, debian-archive-keyring, and (on Ubuntu) the universe component.",
    exitCode: ExitCode.preflight,
    cause: result,
  });
}
