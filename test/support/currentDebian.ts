/**
 * The programs of the current Debian release, in a root file system of its own: what people run who do not stay on the
 * release of this machine. Needs root, and to be built the network.
 */
import { existsSync } from "node:fs";
import { execa } from "execa";
import { ExitCode, OperatorError } from "../../src/errors.js";
import { madeAside } from "./madeAside.js";

export const RELEASE = "trixie";
const PACKAGES = [
  ...["docker.io", "docker-cli", "docker-buildx", "containerd", "iptables", "ca-certificates"],
  ...["skopeo", "podman", "buildah", "cosign"],
];
/** What the Dockerfile installs, on a base as small as the one that it names. */
const IMAGE_PACKAGES = ["ca-certificates", "docker-cli", "openssh-client"];
const UNREAD = ["doc", "man", "locale"].map((folder) => `--dpkgopt=path-exclude=/usr/share/${folder}/*`);

/** Where the root file system is after `buildCurrentDebian`. */
export const currentDebian = (cacheDir: string): string => `${cacheDir}/debian/${RELEASE}`;

/**
 * Builds the root file system unless it is there. It needs half a minute and 800 MB.
 *
 * @param cacheDir an absolute path
 * @param report gets one line for a person before it begins
 * @throws OperatorError if mmdebstrap is missing or fails
 */
export async function buildCurrentDebian(cacheDir: string, report: (line: string) => void): Promise<void> {
  const target = currentDebian(cacheDir);
  if (existsSync(target)) return;
  report(`Unpacking the clients of Debian ${RELEASE}`);
  await madeAside(cacheDir, target, (folder) => bootstrap(`${folder}/root`, PACKAGES));
}

/** The archive that `buildImageBase` leaves, for docker import. */
export const imageBase = (cacheDir: string): string => `${cacheDir}/debian/${RELEASE}-image.tar`;

/** Builds a base for the Dockerfile, unless it is there: its own is not to be had without a registry. */
export async function buildImageBase(cacheDir: string, report: (line: string) => void): Promise<void> {
  const target = imageBase(cacheDir);
  if (existsSync(target)) return;
  report(`Unpacking Debian ${RELEASE} for the container image`);
  await madeAside(cacheDir, target, (folder) => bootstrap(`${folder}/image.tar`, IMAGE_PACKAGES));
}

/** @returns the root file system: a folder, or an archive by its ending */
async function bootstrap(root: string, packages: readonly string[]): Promise<string> {
  const args = ["--variant=minbase", `--include=${packages.join(",")}`, ...UNREAD, RELEASE, root];
  const { failed, stderr } = await execa("mmdebstrap", args, { reject: false, stdin: "ignore" });
  if (!failed) return root;
  throw new OperatorError(stderr.trim().split("\n").slice(-5).join("\n"), {
    where: `mmdebstrap ${RELEASE}`,
    remedy: "Check the network, and that mmdebstrap and debian-archive-keyring are installed.",
    exitCode: ExitCode.preflight,
  });
}

/**
 * For a shell in a mount namespace of its own; $0 is the root file system, $1 a folder that both sides see at the same
 * path. What the program writes elsewhere goes into memory, and is gone with it. A chroot is not enough: `docker load`
 * remounts `/`.
 */
const ENTER = `
shared=$1; shift
mount -t tmpfs tmpfs /mnt; mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o "lowerdir=$0,upperdir=/mnt/upper,workdir=/mnt/work" overlay /mnt/root
cd /mnt/root
for dir in proc sys dev run; do mount --rbind "/$dir" "$dir"; done
mount --bind /etc/hosts etc/hosts
mkdir -p ".$shared" old; mount --rbind "$shared" ".$shared"
pivot_root . old; cd /; umount -l old
exec "$@"`;

/**
 * @param root what `currentDebian` returned
 * @param shared a folder that the program sees too, at the same path
 * @returns a command with arguments that runs the program that follows, in the root file system
 */
export const inCurrentDebian = (root: string, shared: string): string[] => [
  ...["unshare", "--mount", "sh", "-ec", ENTER, root, shared],
];
