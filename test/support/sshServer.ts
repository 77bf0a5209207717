/**
 * OpenSSH's server on a node of a Swarm of the tests (nodes.ts), and what its client needs to reach it: keys that are made for
 * it, in a folder that lies over /etc/ssh here. Runs in the namespaces of test/e2e/run.sh, with mounts of its own.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { execa } from "execa";

export interface SshServer {
  /** Lets the client know the server, as one who has seen its key. */
  introduce(): Promise<void>;
  stop(): Promise<void>;
}

/** Nobody logs in by a password, so the account alone is left to PAM, which refuses a root that is locked. */
const PAM = "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n";

/**
 * @param dir an absolute path for keys, settings and the log; made if it is missing
 * @param address where it listens
 * @param ports on all of them
 * @param pid a process on the node, whose network, mounts and name it has
 */
export async function startSshServer(
  dir: string,
  address: string,
  ports: readonly number[],
  pid: number,
): Promise<SshServer> {
  await mkdir(`${dir}/client`, { recursive: true });
  for (const key of ["host", "user"])
    await execa("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", `${dir}/${key}`]);
  const known = `${dir}/known_hosts`;
  await writeFile(known, "");
  await writeFile(`${dir}/pam`, PAM);
  const client = ["Host *", `IdentityFile ${dir}/user`, "IdentitiesOnly yes", `UserKnownHostsFile ${known}`];
  await writeFile(`${dir}/client/ssh_config`, `${client.join("\n  ")}\n`);
  const server = [
    ...ports.map((port) => `ListenAddress ${address}:${port}`),
    ...[`HostKey ${dir}/host`, `AuthorizedKeysFile ${dir}/user.pub`, "StrictModes no", "PidFile none"],
    ...["PermitRootLogin prohibit-password", "PasswordAuthentication no", "UsePAM yes"],
    "KbdInteractiveAuthentication no",
  ];
  await writeFile(`${dir}/sshd_config`, `${server.join("\n")}\n`);
  // It starts itself anew for each connection, by its whole path.
  const script = `mkdir -p /run/sshd && mount --bind "$1/pam" /etc/pam.d/sshd &&
exec /usr/sbin/sshd -D -E "$1/log" -f "$1/sshd_config"`;
  const node = ["--target", String(pid), "--net", "--mount", "--uts", "--"];
  const daemon = spawn("nsenter", [...node, "sh", "-c", script, "sh", dir], { stdio: "inherit" });
  await execa("mount", ["--bind", `${dir}/client`, "/etc/ssh"]);
  const stop = async () => {
    daemon.kill();
    await execa("umount", ["/etc/ssh"]);
  };
  try {
    for (const port of ports) await waitUntilOpen(address, port, daemon);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    introduce: async () => {
      const key = await readFile(`${dir}/host.pub`, "utf8");
      await writeFile(
        known,
        ports.map((port) => `${port === 22 ? address : `[${address}]:${port}`} ${key}`).join(""),
      );
    },
    stop,
  };
}

async function waitUntilOpen(address: string, port: number, daemon: ChildProcess): Promise<void> {
  const end = Date.now() + 20_000;
  while (!(await isOpen(address, port))) {
    if (daemon.exitCode !== null || Date.now() > end) throw new Error(`sshd does not answer on port ${port}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const isOpen = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host, port }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
