/** Installs Docker Engine from the packages of Debian or Ubuntu, for machines that have none. */
import { access, chmod, rm, writeFile } from "node:fs/promises";
import { execa } from "execa";
import { ExitCode, OperatorError } from "../../src/errors.js";

/** Which package brings which program (Debian 12, Ubuntu 24.04). dockerd needs iptables; `ip` removes its links at the end. */
const PROGRAMS: Record<string, string> = {
  dockerd: "docker.io",
  docker: "docker.io",
  iptables: "iptables",
  ip: "iproute2",
};
const SEARCH_PATH = `${process.env.PATH ?? ""}:/usr/sbin:/sbin`;
/** Asked by Debian's packages before they start a service; 101 forbids it (invoke-rc.d(8)). */
const POLICY = "/usr/sbin/policy-rc.d";

/**
 * Makes sure that dockerd and what it needs are there; does nothing if they are. No service is started: the engine
 * that the demo runs is its own.
 *
 * @param report gets one line for a person before each slow step.
 * @throws OperatorError if something is missing and cannot be installed from here.
 */
export async function installEngine(report: (line: string) => void): Promise<void> {
  const missing = await missingPackages();
  if (missing.length === 0) return;
  const byHand = `Install ${missing.join(" and ")} by hand.`;
  if (process.getuid?.() !== 0)
    throw unable("Installing Docker Engine needs root.", `Run this as root, or: ${byHand}`);
  if (!(await isExecutable("/usr/bin/apt-get"))) throw unable("This machine has no apt-get.", byHand);
  report(`Installing ${missing.join(", ")} with apt-get`);
  const forbid = !(await exists(POLICY));
  if (forbid) {
    await writeFile(POLICY, "#!/bin/sh\nexit 101\n");
    await chmod(POLICY, 0o755);
  }
  try {
    await apt(["update"]);
    await apt(["install", "-y", "--no-install-recommends", ...missing]);
  } finally {
    if (forbid) await rm(POLICY, { force: true });
  }
  const still = await missingPackages();
  if (still.length > 0)
    throw unable(`After apt-get install, ${still.join(" and ")} is still missing.`, byHand);
}

async function missingPackages(): Promise<string[]> {
  const missing = new Set<string>();
  for (const [program, packageName] of Object.entries(PROGRAMS)) {
    const places = SEARCH_PATH.split(":").map((dir) => `${dir}/${program}`);
    const found = await Promise.all(places.map(isExecutable));
    if (!found.includes(true)) missing.add(packageName);
  }
  return [...missing];
}

async function apt(args: string[]): Promise<void> {
  const env = { DEBIAN_FRONTEND: "noninteractive", PATH: SEARCH_PATH };
  const result = await execa("apt-get", args, { env, stdin: "ignore", all: true, reject: false });
  if (!result.failed) return;
  const end = result.all.trimEnd().split("\n").slice(-8).join("\n");
  throw unable(
    `apt-get ${args[0]} failed:\n${end}`,
    "Mend apt first: network, /etc/apt/sources.list, or a lock held by another apt.",
    result,
  );
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, 1).then(
    () => true,
    () => false,
  );
}

function unable(message: string, remedy: string, cause?: unknown): OperatorError {
  return new OperatorError(message, { remedy, exitCode: ExitCode.preflight, cause });
}
