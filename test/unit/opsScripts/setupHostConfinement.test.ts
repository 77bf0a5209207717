import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { ExitCode } from "../../../src/errors.js";
import { home, isRoot, SETUP_HOST, shell, shells, useHome } from "./shell.js";

/**
 * SELinux and user namespaces, by commands that stand in for those of such a host: no test machine has either. What
 * they say and do is what the real ones say and do; each call is written down.
 */

useHome();

const storage = () => join(home, "registry");
const calls = () => (existsSync(join(home, "calls")) ? readFileSync(join(home, "calls"), "utf8") : "");

/** Puts a command in front of the real one of its name. */
function fake(name: string, script: string): void {
  mkdirSync(join(home, "bin"), { recursive: true });
  writeFileSync(join(home, "bin", name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(home, "bin", name), 0o755);
}

const setup = (...args: string[]) => run("sh", ...args);
const run = (interpreter: string, ...args: string[]) =>
  shell([...interpreter.split(" "), SETUP_HOST, "--path", storage(), ...args], {
    env: { PATH: `${join(home, "bin")}:${process.env.PATH}`, HOME_OF_TEST: home },
  });

const owner = isRoot ? "10001:10001" : `${process.getuid?.()}:${process.getgid?.()}`;

describe("on a host with SELinux", () => {
  /** The type of the directory is in a file; so is that of one entry in it. */
  function selinux(type: string, { semanage = true, entry = "" } = {}): void {
    writeFileSync(join(home, "type"), type);
    writeFileSync(join(home, "entry"), entry);
    const set = 'echo "$(basename "$0") $*" >> "$HOME_OF_TEST/calls"';
    const labelled = 'echo container_file_t:s0 > "$HOME_OF_TEST/type"; : > "$HOME_OF_TEST/entry"';
    fake("selinuxenabled", "exit 0");
    fake(
      "stat",
      'case "$*" in "-c %C "*) echo "system_u:object_r:$(cat "$HOME_OF_TEST/type")" ;; *) exec /usr/bin/stat "$@" ;; esac',
    );
    fake("find", 'case "$*" in *-context*) cat "$HOME_OF_TEST/entry" ;; *) exec /usr/bin/find "$@" ;; esac');
    fake("chcon", `${set}; ${labelled}`);
    fake("restorecon", `${set}; ${labelled}`);
    rmSync(join(home, "bin", "semanage"), { force: true });
    if (semanage) fake("semanage", `${set}; [ "$2" != -a ] || [ ! -e "$HOME_OF_TEST/defined" ]`);
  }

  it.each(shells)("labels the directory for containers, for good, and once (%s)", async (name) => {
    selinux("mnt_t:s0");
    const first = await run(name, "--owner", owner);
    expect(first).toMatchObject({ code: 0, err: "" });
    expect(first.out).toContain(
      `done: label ${storage()} for containers (SELinux type container_file_t, it has mnt_t:s0)`,
    );
    expect(calls()).toContain(`semanage fcontext -a -t container_file_t ${storage()}(/.*)?\n`);
    expect(calls()).toContain(`restorecon -R -F ${storage()}\n`);
    const before = calls();
    const second = await run(name, "--owner", owner);
    expect(second.out).toContain("(unchanged)");
    expect(calls()).toBe(before);
  });

  it("changes a rule of the policy that is there already, and takes the path for a path", async () => {
    selinux("mnt_t:s0");
    writeFileSync(join(home, "defined"), "");
    const path = join(home, "a.b+c");
    const { code } = await shell(["sh", SETUP_HOST, "--path", path, "--owner", owner], {
      env: { PATH: `${join(home, "bin")}:${process.env.PATH}`, HOME_OF_TEST: home },
    });
    expect(code).toBe(0);
    expect(calls()).toContain(`semanage fcontext -m -t container_file_t ${home}/a\\.b\\+c(/.*)?\n`);
  });

  it("uses chcon where semanage is not installed", async () => {
    selinux("default_t:s0", { semanage: false });
    const { code, out } = await setup("--owner", owner);
    expect(code).toBe(0);
    expect(out).toContain("done: label");
    expect(calls()).toBe(`chcon -R -h -t container_file_t -l s0 ${storage()}\n`);
  });

  it("finds an entry with another type, and the categories of another container", async () => {
    selinux("container_file_t:s0", { entry: `${home}/registry/docker` });
    expect((await setup("--owner", owner)).out).toContain(`done: label ${storage()}`);
    selinux("container_file_t:s0:c1,c2");
    expect((await setup("--owner", owner)).out).toContain("it has container_file_t:s0:c1,c2");
  });

  it("with --check exits 4 and changes nothing", async () => {
    selinux("container_file_t:s0");
    await setup("--owner", owner);
    selinux("mnt_t:s0");
    const { code, out } = await setup("--owner", owner, "--check");
    expect(code).toBe(ExitCode.preflight);
    expect(out).toContain(`would: label ${storage()} for containers`);
    expect(calls()).toBe("");
  });

  it("leaves NFS to its switch, and says what to do on a file system without labels", async () => {
    selinux("nfs_t:s0");
    const nfs = await setup("--owner", owner);
    expect(nfs.code).toBe(0);
    expect(nfs.out).toContain("note: ");
    expect(nfs.out).toContain("setsebool -P virt_use_nfs 1");
    selinux("unlabeled_t:s0", { semanage: false });
    fake("chcon", 'echo "chcon: failed to change context: Operation not supported" >&2; exit 1');
    const refused = await setup("--owner", owner);
    expect(refused.code).toBe(ExitCode.preflight);
    expect(refused.err).toContain("context=system_u:object_r:container_file_t:s0");
  });

  it("asks for no label where SELinux is off", async () => {
    selinux("mnt_t:s0");
    fake("selinuxenabled", "exit 1");
    expect((await setup("--owner", owner)).out).not.toContain("label");
    expect(calls()).toBe("");
  });
});

describe.skipIf(!isRoot)("on an engine with userns-remap (needs root)", () => {
  /** An engine whose containers have their ids from these files on. */
  function engine({
    root = "231072.231072",
    options = '["name=seccomp,profile=builtin","name=userns"]',
  } = {}) {
    fake(
      "docker",
      `case "$1 $2" in
        "context inspect") echo "\${DOCKER_HOST:-unix:///var/run/docker.sock}" ;;
        "info --format") echo '${options} /var/lib/docker/${root}' ;;
        *) exit 1 ;;
      esac`,
    );
  }

  function files(subuid: string, subgid = subuid, daemon = "{}") {
    for (const [name, text] of Object.entries({ subuid, subgid, daemon }))
      writeFileSync(join(home, name), text);
    fake(
      "cat",
      `case "$1" in
        /etc/subuid) exec /bin/cat "$HOME_OF_TEST/subuid" ;;
        /etc/subgid) exec /bin/cat "$HOME_OF_TEST/subgid" ;;
        /etc/docker/daemon.json) exec /bin/cat "$HOME_OF_TEST/daemon" ;;
        *) exec /bin/cat "$@" ;;
      esac`,
    );
  }

  const ownerOf = () => {
    const { uid, gid } = statSync(storage());
    return `${uid}:${gid}`;
  };

  beforeEach(() => files("ann:100000:65536\ndockremap:231072:65536\n"));

  it.each(
    shells,
  )("gives the directory to the number that the registry has on the host (%s)", async (name) => {
    engine();
    const first = await run(name, "--owner", owner);
    expect(first).toMatchObject({ code: 0, err: "" });
    expect(ownerOf()).toBe("241073:241073");
    expect(first.out).toContain(
      "note: 10001:10001 in a container is 241073:241073 on this host (userns-remap)",
    );
    expect(first.out).toMatch(/ready: .* owner=241073:241073 /);
    expect((await run(name, "--owner", owner)).out).toContain("(unchanged)");
    expect((await run(name, "--owner", owner, "--check")).code).toBe(0);
  });

  it("hands over what another owner left, and says so with --check", async () => {
    mkdirSync(join(storage(), "docker"), { recursive: true });
    engine();
    const checked = await setup("--owner", owner, "--check");
    expect(checked.code).toBe(ExitCode.preflight);
    expect(checked.out).toContain("would: hand over 1 entry");
    await setup("--owner", owner);
    expect(statSync(join(storage(), "docker")).uid).toBe(241_073);
  });

  it("follows the ranges of one user, each for itself for users and groups", async () => {
    files("forge:500000:10000\nforge:700000:65536\n", "forge:600000:65536");
    engine({ root: "500000.600000" });
    await setup("--owner", owner);
    expect(ownerOf()).toBe("700001:610001");
  });

  it("refuses a number that the namespace does not have", async () => {
    files("dockremap:231072:5000\n");
    engine();
    const { code, err } = await setup("--owner", owner);
    expect(code).toBe(ExitCode.preflight);
    expect(err).toContain("/etc/subuid");
    expect(existsSync(storage())).toBe(false);
  });

  it.each([
    ["default", "241073:241073"],
    ["ann", "110001:110001"],
    ["ann:ann", "110001:110001"],
  ])("reads daemon.json (%s) where no engine answers", async (user, expected) => {
    fake("docker", "exit 1");
    files(
      "ann:100000:65536\ndockremap:231072:65536\n",
      undefined,
      `{\n  "log-level": "warn",\n  "userns-remap": "${user}"\n}\n`,
    );
    await setup("--owner", owner);
    expect(ownerOf()).toBe(expected);
  });

  it("does not ask an engine on another machine, and maps nothing without a namespace", async () => {
    engine();
    const elsewhere = await shell(["sh", SETUP_HOST, "--path", storage(), "--owner", owner], {
      env: {
        PATH: `${join(home, "bin")}:${process.env.PATH}`,
        HOME_OF_TEST: home,
        DOCKER_HOST: "ssh://node",
      },
    });
    expect(elsewhere.code).toBe(0);
    expect(ownerOf()).toBe(owner);
    engine({ options: '["name=seccomp,profile=builtin"]', root: "" });
    expect((await setup("--owner", owner)).out).toContain("(unchanged)");
    expect(ownerOf()).toBe(owner);
  });
});

describe("a volume", () => {
  const inVolume = (name: string, check: string[] = []) =>
    shell(["sh", SETUP_HOST, "--volume", name, "--owner", owner, ...check], {
      env: { PATH: `${join(home, "bin")}:${process.env.PATH}`, HOME_OF_TEST: home },
    });

  it("is prepared at the place where the engine has it", async () => {
    mkdirSync(storage());
    fake("docker", `[ "$1 $2 $5" = "volume inspect registry_data" ] && echo ${storage()}`);
    expect(await inVolume("registry_data", ["--check"])).toMatchObject({ code: ExitCode.preflight });
    expect(await inVolume("registry_data")).toMatchObject({ code: 0, err: "" });
    expect(`${statSync(storage()).uid}:${statSync(storage()).gid}`).toBe(owner);
    expect((await inVolume("registry_data")).out).toContain("(unchanged)");
  });

  it("is never created, and its name is one of the engine's", async () => {
    fake("docker", 'echo "$*" >> "$HOME_OF_TEST/calls"; exit 1');
    const missing = await inVolume("registry_data");
    expect(missing.code).toBe(ExitCode.preflight);
    expect(missing.err).toContain("has no volume registry_data");
    expect(calls()).not.toContain("create");
    expect((await inVolume("../etc")).code).toBe(ExitCode.usage);
  });
});
