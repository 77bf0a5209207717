import {
  chmodSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ExitCode } from "../../../src/errors.js";
import { DEPLOY, home, isRoot, SETUP_HOST, shell, shells, useHome, which } from "./shell.js";

useHome();

describe("both scripts", () => {
  it.each([SETUP_HOST, DEPLOY])("%s is a POSIX script that every shell here can parse", async (script) => {
    expect(statSync(script).mode & 0o111).not.toBe(0);
    expect(readFileSync(script, "utf8")).toMatch(/^#!\/bin\/sh\n/);
    for (const name of shells) {
      expect(await shell([...name.split(" "), "-n", script])).toEqual({ code: 0, out: "", err: "" });
    }
  });

  it("are clean under shellcheck", async (context) => {
    if (!which("shellcheck")) {
      if (process.env.CI === "true") expect.fail("CI must have shellcheck (apt-get install shellcheck)");
      context.skip("shellcheck is not installed");
    }
    expect(await shell(["shellcheck", "-s", "sh", SETUP_HOST, DEPLOY])).toEqual({
      code: 0,
      out: "",
      err: "",
    });
  });

  it.each([
    SETUP_HOST,
    DEPLOY,
  ])("%s documents the exit codes of src/errors.ts and no others", async (script) => {
    const { code, out } = await shell(["sh", script, "--help"]);
    expect(code).toBe(0);
    const listed = [...out.slice(out.indexOf("Exit codes:")).matchAll(/(?:^|[;:]) ?\n?(\d+) /g)].map((m) =>
      Number(m[1]),
    );
    expect(listed).toContain(ExitCode.usage);
    expect(listed).toContain(ExitCode.preflight);
    expect(Object.values(ExitCode)).toEqual(expect.arrayContaining(listed));
  });
});

describe("setup_host.sh", () => {
  const owner = isRoot ? "10001:10001" : `${process.getuid?.()}:${process.getgid?.()}`;
  const storage = () => join(home, "mnt", "storage", "registry");
  const setup = (...args: string[]) => shell(["sh", SETUP_HOST, "--owner", owner, ...args]);
  /**
   * For paths that must be refused. Only ever with --check, and never as root: should the refusal break one day, this
   * machine's /etc must not pay for it.
   */
  const attempt = (path: string) =>
    shell(["sh", "-s", "--", "--check", "--owner", "10001:10001", "--path", path], {
      input: readFileSync(SETUP_HOST, "utf8"),
      ...(isRoot ? { uid: 65534, gid: 65534 } : {}),
    });
  const describeEntry = (path: string) => {
    const { uid, gid, mode } = lstatSync(path);
    return `${uid}:${gid} ${(mode & 0o7777).toString(8)}`;
  };

  it.each(
    shells,
  )("creates the directory and its parents, and changes nothing the second time (%s)", async (name) => {
    const command = [...name.split(" "), SETUP_HOST, "--path", storage(), "--owner", owner];
    const first = await shell(command);
    expect(first).toMatchObject({ code: 0, err: "" });
    expect(first.out).toContain(`done: create ${storage()}\n`);
    expect(first.out.split("\n").at(-1)).toMatch(
      new RegExp(`^setup_host: ready: ${storage()} owner=${owner} mode=0750 free=[0-9.]+GiB$`),
    );
    expect(describeEntry(storage())).toBe(`${owner} 750`);
    expect(statSync(join(home, "mnt")).mode & 0o7777).toBe(0o755);
    expect(statSync(join(home, "mnt", "storage")).mode & 0o7777).toBe(0o755);

    const second = await shell(command);
    expect(second.code).toBe(0);
    expect(second.out.split("\n")[0]).toBe(`ok: ${storage()} (unchanged)`);
    expect(second.out).not.toContain("done:");
  });

  it("works when it is piped to a shell, as over ssh", async () => {
    const input = readFileSync(SETUP_HOST, "utf8");
    const { code } = await shell(["sh", "-s", "--", "--path", storage(), "--owner", owner], { input });
    expect(code).toBe(0);
    expect(describeEntry(storage())).toBe(`${owner} 750`);
    expect((await shell(["sh", "-s", "--", "--help"], { input })).out).toContain("usage: setup_host.sh");
  });

  it("does nothing if the pipe breaks off half-way", async () => {
    const input = readFileSync(SETUP_HOST, "utf8").replace(/main "\$@"\n$/, "");
    await shell(["sh", "-s", "--", "--path", storage(), "--owner", owner], { input });
    expect(existsSync(storage())).toBe(false);
  });

  it("sets exactly the mode that is asked for, set-id bits included", async () => {
    await setup("--path", storage(), "--mode", "2770");
    expect(describeEntry(storage())).toBe(`${owner} 2770`);
    const { out } = await setup("--path", storage(), "--mode", "0750");
    expect(describeEntry(storage())).toBe(`${owner} 750`);
    expect(out).toContain(`done: set the mode of ${storage()} from 2770 to 0750`);
  });

  it("with --check exits 4 and changes nothing, until all is right", async () => {
    const missing = await setup("--path", storage(), "--check");
    expect(missing).toMatchObject({ code: ExitCode.preflight, out: `would: create ${storage()}` });
    expect(missing.err).toContain(`setup_host: not ready: ${storage()}`);
    expect(existsSync(join(home, "mnt"))).toBe(false);

    await setup("--path", storage());
    chmodSync(storage(), 0o700);
    expect(await setup("--path", storage(), "--check")).toMatchObject({ code: ExitCode.preflight });
    expect(describeEntry(storage())).toBe(`${owner} 700`);

    await setup("--path", storage());
    expect(await setup("--path", storage(), "--check")).toMatchObject({ code: 0, err: "" });
  });

  it.skipIf(!isRoot)("hands over foreign data without following links (needs root)", async () => {
    mkdirSync(join(storage(), "docker"), { recursive: true });
    writeFileSync(join(storage(), "docker", "blob"), "x");
    writeFileSync(join(home, "outside"), "x");
    symlinkSync(join(home, "outside"), join(storage(), "link"));
    lchownSync(join(storage(), "link"), 4242, 4242);

    const checked = await setup("--path", storage(), "--check");
    expect(checked.code).toBe(ExitCode.preflight);
    expect(checked.out).toContain(`would: hand over 3 entries in ${storage()} to 10001:10001`);
    expect(describeEntry(join(storage(), "docker", "blob"))).toMatch(/^0:0 /);

    const { code, out } = await setup("--path", storage());
    expect(code).toBe(0);
    expect(out).toContain(`done: hand over 3 entries in ${storage()} to 10001:10001`);
    for (const name of [".", "docker", "docker/blob", "link"]) {
      expect(describeEntry(join(storage(), name))).toMatch(/^10001:10001 /);
    }
    expect(describeEntry(join(home, "outside"))).toMatch(/^0:0 /);
    expect((await setup("--path", storage())).out).toContain("(unchanged)");
  });

  it.skipIf(!isRoot)(
    "needs no root for a directory that is right already (needs root to show it)",
    async () => {
      await setup("--path", storage());
      const input = readFileSync(SETUP_HOST, "utf8");
      const nobody = { input, uid: 65534, gid: 65534 };
      const { code, out } = await shell(["sh", "-s", "--", "--path", storage()], nobody);
      expect(code).toBe(0);
      expect(out).toContain("setup_host: ready:");
      const refused = await shell(["sh", "-s", "--", "--path", join(home, "other")], nobody);
      expect(refused.code).toBe(ExitCode.preflight);
      expect(refused.err).toContain("Permission denied\nsetup_host: to fix it: run it with sudo");
    },
  );

  it("refuses directories of the system, however they are spelt", async () => {
    symlinkSync("/etc", join(home, "link"));
    symlinkSync("/", join(home, "root"));
    const system = [
      "/",
      "/etc",
      "/usr",
      "/bin",
      "/var",
      "/home",
      "/root",
      "/tmp",
      "/var/lib",
      "//etc//",
      "/proc/self",
    ];
    for (const path of [...system, join(home, "link"), join(home, "root", "usr")]) {
      const { code, out, err } = await attempt(path);
      expect({ path, code, out }).toEqual({ path, code: ExitCode.usage, out: "" });
      expect(err).toContain("a directory of the system");
    }
  });

  it.each([
    ["registry", "is not absolute"],
    ["/mnt/../etc/registry", "has . or .. in it"],
    ["/mnt/./registry", "has . or .. in it"],
    ["/mnt/a\nb", "holds a line break"],
    ["", "is not absolute"],
  ])("refuses the path %j", async (path, reason) => {
    const { code, err } = await attempt(path);
    expect(code).toBe(ExitCode.usage);
    expect(err).toContain(reason);
  });

  it("refuses a file, and a link to nowhere, in the place of the directory", async () => {
    writeFileSync(join(home, "file"), "");
    symlinkSync(join(home, "nowhere"), join(home, "dangling"));
    for (const path of [
      join(home, "file"),
      join(home, "file", "registry"),
      join(home, "dangling", "registry"),
    ]) {
      expect(await setup("--path", path)).toMatchObject({ code: ExitCode.preflight, out: "" });
    }
  });

  it.each([
    [["--owner", "registry:registry"], "is not UID:GID in decimal numbers"],
    [["--owner", "1:2:3"], "is not UID:GID in decimal numbers"],
    [["--owner", "10001"], "is not UID:GID in decimal numbers"],
    [["--mode", "rwx"], "is not three or four octal digits"],
    [["--mode", "0550"], "could not write"],
    [["--mode"], "needs a value"],
    [["--force"], "unknown argument: --force"],
  ])("refuses the arguments %j", async (args, reason) => {
    const { code, out, err } = await shell(["sh", SETUP_HOST, "--path", storage(), ...args]);
    expect({ code, out }).toEqual({ code: ExitCode.usage, out: "" });
    expect(err).toContain(reason);
    expect(existsSync(join(home, "mnt"))).toBe(false);
  });
});
