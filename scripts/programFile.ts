/**
 * Builds the program files into program/: the program with Node in one file, for machines without Node, and their checksums.
 * It is Node's single executable application. Arguments are the architectures, without any all of them. Needs Linux.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { execa } from "execa";
import { CACHE } from "../test/support/checkout.js";
import { madeAside } from "../test/support/madeAside.js";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const FOLDER = `${ROOT}program`;

/**
 * Node 24 is supported until April 2028. From 25 on, Node's binaries need libatomic1, which neither Debian nor Ubuntu installs:
 * https://github.com/actions/runner/pull/4640
 */
const NODE = "24.22.3";

/** For each architecture the SHA-512 of the npm package with Node's binary, and how Debian's binutils call it. */
const ARCHITECTURES = {
  x64: {
    integrity:
      "sha512-KHsob+Fv9YerATvYujMbiyJqnRCvLtrcr/eTNqRqiOSGp97EOiRP1yP47+knGgQ/xnc3XY8xzkW587dlZzNqRA==",
    binutils: "x86_64-linux-gnu",
  },
  arm64: {
    integrity:
      "sha512-IZx0J52/1NDwAsY2iyWR9nlPIYuYviTWetjj8+ElvYQh2+XRhLfCfkbFEF/2O5vGI2hcUbyPNHV+nz342FbJXw==",
    binutils: "aarch64-linux-gnu",
  },
};
type Architecture = keyof typeof ARCHITECTURES;
const OWN = process.arch as Architecture;

/** What marks the place of the program in Node's binary. Source: Node's documentation, single executable applications. */
const FUSE = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";

const SCRIPT = "hephaestus.cjs";
const programName = (arch: Architecture): string => `hephaestus-linux-${arch}`;

/**
 * Fetches Node for an architecture with npm, unless it is there.
 *
 * @returns the folder of its package
 * @throws if npm's registry has another file under this name
 */
async function fetchNode(arch: Architecture): Promise<string> {
  const folder = `${CACHE}/node/${NODE}-${arch}`;
  if (existsSync(folder)) return folder;
  await madeAside(CACHE, folder, async (cwd) => {
    const archive = `node-linux-${arch}-${NODE}.tgz`;
    await execa("npm", ["pack", "--silent", `node-linux-${arch}@${NODE}`], { cwd });
    const sum = createHash("sha512").update(readFileSync(`${cwd}/${archive}`));
    if (`sha512-${sum.digest("base64")}` !== ARCHITECTURES[arch].integrity)
      throw new Error(`${archive} is not the file that scripts/programFile.ts names`);
    await execa("tar", ["-xzf", archive, "package/bin/node", "package/LICENSE"], { cwd });
    return `${cwd}/package`;
  });
  return folder;
}

/** The built program as one script of CommonJS: Node 24 takes no other kind. */
async function writeScript(file: string): Promise<void> {
  const start = `import { main } from "./dist/hephaestus.js";
main(process.argv).then((code) => { process.exitCode = code; });`;
  await build({
    absWorkingDir: ROOT,
    stdin: { contents: start, resolveDir: ROOT },
    outfile: file,
    bundle: true,
    platform: "node",
    format: "cjs",
    target: `node${NODE}`,
    define: { "import.meta.url": "programUrl" },
    banner: { js: 'const programUrl = require("node:url").pathToFileURL(process.execPath).href;' },
  });
}

/** Puts the script of a folder into a copy of Node. Paths are relative, since the first is in the file. */
async function writeProgram(cwd: string, arch: Architecture): Promise<void> {
  const settings = {
    main: SCRIPT,
    output: "blob",
    disableExperimentalSEAWarning: true,
    // Saves a fifth of the start. It works only on the architecture that it was made on.
    useCodeCache: arch === OWN,
  };
  writeFileSync(`${cwd}/settings.json`, JSON.stringify(settings));
  const node = await fetchNode(OWN);
  await execa(`${node}/bin/node`, ["--experimental-sea-config", "settings.json"], { cwd });
  const file = programName(arch);
  // Symbols are a seventh of the file.
  const { binutils } = ARCHITECTURES[arch];
  const strip = ["--strip-all", "-o", file, `${await fetchNode(arch)}/bin/node`];
  await execa(`${binutils}-strip`, strip, { cwd }).catch((error: { code?: string }) => {
    if (error.code !== "ENOENT") throw error;
    throw new Error(`${binutils}-strip is missing: apt-get install binutils-${binutils.replace("_", "-")}`);
  });
  const inject = [file, "NODE_SEA_BLOB", settings.output, "--sentinel-fuse", FUSE];
  await execa("postject", inject, { cwd, preferLocal: true, localDir: ROOT });
}

const given = process.argv.slice(2);
if (given[0] === "--fetch") await fetchNode(OWN);
else {
  const work = `${FOLDER}/.work-${process.pid}`;
  mkdirSync(work, { recursive: true });
  await writeScript(`${work}/${SCRIPT}`);
  const architectures = (given.length > 0 ? given : Object.keys(ARCHITECTURES)) as Architecture[];
  for (const arch of architectures) await writeProgram(work, arch);
  const licenses = [`${ROOT}dist/licenses.txt`, `${await fetchNode(OWN)}/LICENSE`];
  writeFileSync(`${work}/licenses.txt`, licenses.map((file) => readFileSync(file, "utf8")).join("\n---\n\n"));
  const names = [...architectures.map(programName), "licenses.txt"];
  const { stdout } = await execa("sha256sum", names, { cwd: work });
  writeFileSync(`${work}/SHA256SUMS`, `${stdout}\n`);
  for (const name of [...names, "SHA256SUMS"]) renameSync(`${work}/${name}`, `${FOLDER}/${name}`);
  rmSync(work, { recursive: true });
  console.log(stdout);
}
