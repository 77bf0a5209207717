/**
 * Docker Engine 29 with its command line and its containerd: what people install in 2026, and what Debian has no package of. Built once
 * from Go modules, which takes many minutes.
 */
import { existsSync } from "node:fs";
import { cp, mkdir, writeFile } from "node:fs/promises";
import { go, moduleFolder } from "./goPrograms.js";
import { madeAside } from "./madeAside.js";

const ENGINE = "github.com/moby/moby/v2";
const ENGINE_VERSION = "v2.0.0-beta.24";
const COMMAND_LINE = "github.com/docker/cli";
const COMMAND_LINE_VERSION = "29.7.2";
const CONTAINERD = "github.com/containerd/containerd/v2/cmd";
const CONTAINERD_VERSION = "v2.1.5";

/** Releases refuse older APIs, and this version does not by itself. The runc of Debian 12 knows no time namespaces. */
const DOCKERD = `#!/bin/sh
export DOCKER_MIN_API_VERSION=1.44
exec "\${0%/*}/lib/dockerd" --feature time-namespaces=false "$@"
`;

/**
 * Builds what is missing. To build another version, remove the folder.
 *
 * @param cacheDir an absolute path
 * @param target where the programs go, on the same file system
 */
export async function buildEngine29(
  cacheDir: string,
  target: string,
  report: (line: string) => void,
): Promise<void> {
  if (existsSync(target)) return;
  report(`Building Docker ${COMMAND_LINE_VERSION}, which takes many minutes`);
  await madeAside(cacheDir, target, async (folder) => {
    const bin = `${folder}/bin`;
    const env = { GOBIN: bin, CGO_ENABLED: "0", GOFLAGS: "-trimpath -buildvcs=false" };
    const tags = ["-tags", "exclude_graphdriver_btrfs no_systemd"];
    const named = ["-ldflags", `-X ${ENGINE}/dockerversion.Version=${COMMAND_LINE_VERSION}`];
    const lib = { ...env, GOBIN: `${bin}/lib` };
    await go(["install", ...tags, ...named, `${ENGINE}/cmd/dockerd@${ENGINE_VERSION}`], lib);
    await go(["install", `${ENGINE}/cmd/docker-proxy@${ENGINE_VERSION}`], env);
    await writeFile(`${bin}/dockerd`, DOCKERD, { mode: 0o755 });

    // It has its requirements in a file of another name.
    const commandLine = `${folder}/cli`;
    const source = await moduleFolder(`${COMMAND_LINE}@v${COMMAND_LINE_VERSION}+incompatible`);
    await cp(source, commandLine, { recursive: true });
    for (const [from, to] of [
      ["vendor.mod", "go.mod"],
      ["vendor.sum", "go.sum"],
    ] as const)
      await cp(`${source}/${from}`, `${commandLine}/${to}`);
    const version = `-X ${COMMAND_LINE}/cli/version.Version=${COMMAND_LINE_VERSION}`;
    await go(
      ["build", "-mod=mod", "-ldflags", version, "-o", `${bin}/docker`, "./cmd/docker"],
      env,
      commandLine,
    );

    // Its go.mod excludes versions, which `go install` refuses outside of a module.
    const containerd = `${folder}/containerd`;
    await mkdir(containerd);
    const programs = ["containerd", "containerd-shim-runc-v2"].map((name) => `${CONTAINERD}/${name}`);
    await go(["mod", "init", "engine"], env, containerd);
    await go(["get", ...programs.map((name) => `${name}@${CONTAINERD_VERSION}`)], env, containerd);
    await go(["build", "-o", `${bin}/`, ...programs], env, containerd);
    return bin;
  });
}
