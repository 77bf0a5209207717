/**
 * Programs that Debian does not have in the version that the tests need: built once from their Go modules, and kept beside
 * the packages of the stand-in images. Needs the network and Go; an old one fetches a newer toolchain.
 */
import { existsSync } from "node:fs";
import { execa } from "execa";
import { ExitCode, OperatorError } from "../../src/errors.js";
import { madeAside } from "./madeAside.js";

/** Go packages with their versions. */
const PROGRAMS = {
  registry: "github.com/distribution/distribution/v3/cmd/registry@v3.1.2",
  /** An S3 server whose buckets are folders. Apache 2.0. */
  versitygw: "github.com/versity/versitygw/cmd/versitygw@v1.8.0",
  crane: "github.com/google/go-containerregistry/cmd/crane@v0.22.1",
  /** Copies images between registries: the worker of the mirror. Apache 2.0. */
  regsync: "github.com/regclient/regclient/cmd/regsync@v0.11.7",
  oras: "oras.land/oras/cmd/oras@v1.3.6",
  /** Another registry, which the benchmark compares with. Its build takes many minutes. Apache 2.0. */
  zot: "zotregistry.dev/zot/v2/cmd/zot@v2.1.20",
} as const;

export type GoProgram = keyof typeof PROGRAMS;

const OF_TESTS = (Object.keys(PROGRAMS) as GoProgram[]).filter((name) => name !== "zot");

/** Where the program is after `buildGoPrograms`. */
export const goProgram = (cacheDir: string, name: GoProgram): string =>
  `${cacheDir}/go/${PROGRAMS[name].replace(/^.*@/, "")}/${name}`;

/**
 * Builds the programs that are missing.
 *
 * @param cacheDir an absolute path
 * @param report gets one line for a person before each build
 * @param names those that the tests need, if it is left out
 * @throws OperatorError where there is no Go, or a build fails
 */
export async function buildGoPrograms(
  cacheDir: string,
  report: (line: string) => void,
  names: readonly GoProgram[] = OF_TESTS,
): Promise<void> {
  for (const name of names) {
    const target = goProgram(cacheDir, name);
    if (existsSync(target)) continue;
    report(`Building ${PROGRAMS[name]}`);
    await madeAside(cacheDir, target, async (folder) => {
      // zot does not build without jsonv2. Source: its Makefile.
      const experiment = name === "zot" ? { GOEXPERIMENT: "jsonv2" } : {};
      await go(["install", "-trimpath", PROGRAMS[name]], { GOBIN: folder, CGO_ENABLED: "0", ...experiment });
      return `${folder}/${name}`;
    });
  }
}

/** The first version that fetches a newer toolchain by itself. Source: go.dev/doc/toolchain. */
const FIRST_WITH_TOOLCHAINS = 21;
/** What builds the programs where Go is older, such as Debian 12's 1.19. */
const TOOLCHAIN = "v0.0.1-go1.26.8";

/** Runs Go, or a newer toolchain that an old Go downloads as a module. */
export async function go(args: string[], env: Record<string, string>, folder?: string): Promise<void> {
  const minor = Number(/go1\.(\d+)/.exec(await run("go", ["version"], {}))?.[1] ?? 0);
  if (minor >= FIRST_WITH_TOOLCHAINS) await run("go", args, env, folder);
  else {
    const root = await newerGo();
    await run(`${root}/bin/go`, args, { ...env, GOROOT: root }, folder);
  }
}

/** @returns the folder of the toolchain */
async function newerGo(): Promise<string> {
  const architecture = process.arch === "x64" ? "amd64" : process.arch;
  const module = `golang.org/toolchain@${TOOLCHAIN}.linux-${architecture}`;
  const root = await moduleFolder(module);
  // A module has no modes.
  for (const folder of ["bin", "pkg/tool"]) await execa("chmod", ["-R", "u+rwX,a+x", `${root}/${folder}`]);
  return root;
}

/** Downloads a module, such as name@version. @returns its folder */
export async function moduleFolder(module: string): Promise<string> {
  return (JSON.parse(await run("go", ["mod", "download", "-json", module], {})) as { Dir: string }).Dir;
}

/** @returns what it printed */
async function run(
  program: string,
  args: string[],
  env: Record<string, string>,
  folder?: string,
): Promise<string> {
  const path = `${process.env.PATH}:/usr/local/go/bin`;
  const result = await execa(program, args, {
    env: { ...env, PATH: path },
    reject: false,
    stdin: "ignore",
    ...(folder === undefined ? {} : { cwd: folder }),
  });
  if (!result.failed) return result.stdout;
  const isMissing = result.code === "ENOENT";
  throw new OperatorError(
    isMissing ? "there is no Go" : result.stderr.trim().split("\n").slice(-5).join("\n"),
    {
      where: `${program} ${args.join(" ")}`,
      remedy: isMissing
        ? "Install Go: apt-get install golang-go, or https://go.dev/dl. The tests build a registry and an S3 server with it."
        : "Check the network, and the version: go version",
      exitCode: ExitCode.preflight,
      cause: result,
    },
  );
}
