import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import bcrypt from "bcryptjs";
import { beforeEach, describe, expect, it } from "vitest";
import { ExitCode } from "../../../src/errors.js";
import { DEPLOY, home, type Outcome, shell, shells, useHome, which } from "./shell.js";

useHome();

/** Plays a Swarm manager out of files below $STUB, and writes down what it was told, by which way. */
const DOCKER_STUB = `#!/bin/sh
{ printf 'docker'; for word; do printf ' [%s]' "$word"; done; echo; } >> "$STUB/argv"
env >> "$STUB/environment"
for last; do :; done
case "$1 $2" in
  "version "*) if [ -e "$STUB/unreachable" ]; then echo "Cannot connect to the Docker daemon" >&2; exit 1; fi; echo 20.10.24 ;;
  "info "*) case $* in *NodeID*) echo node-1 ;; *) cat "$STUB/info" ;; esac ;;
  "secret ls")
    for f in "$STUB"/secrets/*; do
      [ ! -e "$f" ] || echo "\${f##*/} reg $(sed -n 's/^hephaestus.password=//p' "$STUB/labels/\${f##*/}" 2>/dev/null)"
    done ;;
  "secret rm")
    ! grep -qx "$3" "$STUB"/services/* 2>/dev/null || { echo "Error response from daemon: $3 is in use" >&2; exit 1; }
    rm "$STUB/secrets/$3" ;;
  "secret inspect") sed 's/=/ /' "$STUB/labels/$last" ;;
  "secret create" | "config create")
    for word; do case $word in -) ;; *) name=$word ;; esac; done
    [ ! -e "$STUB/no-$name" ] || { echo "Error response from daemon: no space left" >&2; exit 1; }
    [ ! -e "$STUB/$1s/$name" ] || { echo "Error response from daemon: $name already exists" >&2; exit 1; }
    for word; do case $word in hephaestus.*) echo "$word" >> "$STUB/labels/$name" ;; esac; done
    cat > "$STUB/$1s/$name"; echo "id-of-$name" ;;
  "config ls") case $* in
    *_history_*) ls "$STUB/configs" | sed -n "s/.*_history_.*/& deploy/p" ;;
    *) ls "$STUB/configs" | sed -n "/handed-over/p" ;;
    esac ;;
  "config inspect") [ -e "$STUB/configs/reg_lock" ] || exit 1; cat "$STUB/configs/reg_lock" ;;
  "config rm") rm "$STUB/configs/\${3#id-of-}" ;;
  "service ls") case $* in
    *_job-*) ls "$STUB/services" | sed -n "/_job-/p" ;;
    *) ls "$STUB/services" ;;
    esac ;;
  "service inspect") case $* in
    *SecretName*) cat "$STUB/services/$last" ;;
    *Image*) [ ! -e "$STUB/services/reg_gateway" ] || echo "nginx:running" ;;
    *) cat "$STUB/updates" ;;
    esac ;;
  "service create")
    for word; do case $word in source=*,target=htpasswd) word=\${word#source=}; echo "\${word%,*}" > "$STUB/services/reg_htpasswd-reader" ;; esac; done
    case " $* " in *" $(cat "$STUB/pullable") 60 ") ;; *) rm "$STUB/services/reg_htpasswd-reader" ;; esac ;;
  "service rm") rm "$STUB/services/$3" ;;
  "service rollback") cat "$STUB/reg_registry.previous" > "$STUB/services/reg_registry"; echo "reg_registry rollback_completed" > "$STUB/updates" ;;
  "service ps") echo 'reg_registry.1 on node-1: Failed 3 seconds ago: "task: non-zero exit (1)"' ;;
  "service logs") echo "the registry's last words" ;;
  "stack deploy")
    ls "$STUB/configs" > "$STUB/locks-while-deploying"
    echo "$HEPHAESTUS_GENERATION $HEPHAESTUS_MACHINE_GENERATION" > "$STUB/deployed"
    [ ! -e "$STUB/no-deploy" ] || { echo "Error response from daemon: no" >&2; exit 1; }
    cat "$STUB/services/reg_registry" > "$STUB/reg_registry.previous" 2>/dev/null
    printf '%s\\n' reg_http-secret_1 "reg_htpasswd_$HEPHAESTUS_GENERATION" > "$STUB/services/reg_registry"
    printf '%s\\n' "reg_gateway_$HEPHAESTUS_MACHINE_GENERATION" > "$STUB/services/reg_gateway"
    printf '%s\\n' "reg_ui_$HEPHAESTUS_MACHINE_GENERATION" > "$STUB/services/reg_registry-admin" ;;
  "stack services") echo "reg_registry 1/1"; echo "reg_gateway 2/2" ;;
  "ps "*)
    service=$(echo "$*" | sed -n 's/.*service.name=\\([^ ]*\\).*/\\1/p')
    [ ! -e "$STUB/services/$service" ] || [ -e "$STUB/elsewhere-$service" ] || echo "container-$service" ;;
  "inspect --type") cat "$STUB/services/\${last#task-}" ;;
  "inspect "*) echo "task-\${last#container-}" ;;
  "exec "*) cat "$STUB/secrets/$(sed -n '/_htpasswd_/p' "$STUB/services/\${2#container-}")" ;;
esac
`;

const COMPOSE = `services:
  registry:
    image: registry:2.8.3
  gateway:
    image: nginx:1.28.0-alpine
    user: 65532:65532
configs:
  gateway:
    name: reg_gateway_21fe189a3f32
secrets:
  htpasswd:
    external: true
    name: reg_htpasswd_\${HEPHAESTUS_GENERATION:-1}
  gateway:
    external: true
    name: reg_gateway_\${HEPHAESTUS_MACHINE_GENERATION:-1}
`;

describe("deploy.sh", () => {
  const password = 'correct horse $battery\' "staple" \\n é';
  const hash = bcrypt.hashSync(password, 4);
  const credentials = {
    REGISTRY_HTPASSWD: `# people\r\n\n  alice:${bcrypt.hashSync("other", 4)}\n\tbob:${hash}\r\n`,
    REGISTRY_USERNAME: "bob",
    REGISTRY_RAW_PASSWORD: password,
  };
  /** Everything that the script may run; each leaves its arguments and environment behind. */
  const tools = [
    ...["awk", "base64", "cat", "cut", "date", "env", "grep", "head", "id", "ls", "mktemp", "od", "paste"],
    ...["perl", "htpasswd", "rm", "sed", "sort", "tail", "timeout", "tr", "uname"],
  ];
  let stub: string;

  beforeEach(() => {
    stub = join(home, "stub");
    for (const folder of ["", "bin", "secrets", "configs", "labels", "services"])
      mkdirSync(join(stub, folder));
    for (const tool of tools) {
      const real = which(tool);
      if (!real) continue;
      const script = `#!/bin/sh\n{ printf '%s ' ${tool} "$@"; ${which("env")}; } >> "$STUB/children"\nexec ${real} "$@"\n`;
      writeFileSync(join(stub, "bin", tool), script, { mode: 0o755 });
    }
    writeFileSync(join(stub, "bin", "docker"), DOCKER_STUB, { mode: 0o755 });
    writeFileSync(join(stub, "bin", "sleep"), "#!/bin/sh\n", { mode: 0o755 });
    writeFileSync(join(stub, "info"), "active true\n");
    writeFileSync(join(stub, "pullable"), "nginx:1.28.0-alpine");
    writeFileSync(join(stub, "updates"), "reg_registry completed\nreg_gateway \n");
    writeFileSync(join(home, "compose.yml"), COMPOSE);
  });

  const read = (name: string) => (existsSync(join(stub, name)) ? readFileSync(join(stub, name), "utf8") : "");
  const secrets = () => readdirSync(join(stub, "secrets")).sort();
  const users = (generation: number) =>
    read(`secrets/reg_htpasswd_${generation}`)
      .trim()
      .split("\n")
      .map((line) => line.split(":")[0]);
  const changes = () =>
    read("argv").match(/^docker \[(?:secret|config|stack)\] \[(?:create|rm|deploy)\].*$/gm) ?? [];

  function deploy(
    env: Record<string, string> = {},
    args = ["reg", "compose.yml"],
    argv = ["sh"],
  ): Promise<Outcome> {
    const [program = "sh", ...rest] = argv;
    return shell([which(program) ?? program, ...rest, DEPLOY, ...args], {
      // Nothing of this process's environment: PATH holds the stubs alone.
      ...({ extendEnv: false } as object),
      env: { PATH: join(stub, "bin"), STUB: stub, ...env },
    });
  }

  it.each([
    [[], "needs a STACK and a COMPOSE_FILE", ExitCode.usage],
    [["reg"], "needs a STACK and a COMPOSE_FILE", ExitCode.usage],
    [["Reg", "compose.yml"], "'Reg' is not a stack's name", ExitCode.usage],
    [["-reg", "compose.yml"], "'-reg' is not a stack's name", ExitCode.usage],
    [["reg", "missing.yml"], "missing.yml: no such file", ExitCode.config],
    [["other", "compose.yml"], "compose.yml belongs to the stack reg, not to other", ExitCode.usage],
  ])("refuses the arguments %j before it talks to docker", async (args, reason, exitCode) => {
    const { code, out, err } = await deploy(credentials, args);
    expect({ code, out }).toEqual({ code: exitCode, out: "" });
    expect(err).toContain(`deploy: ${reason}`);
    expect(read("argv")).toBe("");
  });

  it("refuses a compose file that names no generation, and wrong settings", async () => {
    writeFileSync(join(home, "compose.yml"), "services: {}\n");
    expect(await deploy(credentials)).toMatchObject({ code: ExitCode.config });
    writeFileSync(join(home, "compose.yml"), COMPOSE.replaceAll("_MACHINE", ""));
    expect((await deploy(credentials)).err).toContain("compose.yml was rendered by an older hephaestus\n");
    writeFileSync(join(home, "compose.yml"), COMPOSE);
    for (const env of [
      { HEPHAESTUS_TIMEOUT: "5m" },
      { HEPHAESTUS_TIMEOUT: "0" },
      { HEPHAESTUS_RESOLVE_IMAGE: "no" },
    ]) {
      expect(await deploy({ ...credentials, ...env })).toMatchObject({ code: ExitCode.usage });
    }
    expect(read("argv")).toBe("");
  });

  it("says what is wrong with docker or the Swarm", async () => {
    for (const [info, reason] of [
      ["inactive false", "run there: docker swarm init"],
      ["active false", "this node is a Swarm worker"],
    ] as const) {
      writeFileSync(join(stub, "info"), `${info}\n`);
      const { code, err } = await deploy(credentials);
      expect(code).toBe(ExitCode.preflight);
      expect(err).toContain(reason);
    }
    writeFileSync(join(stub, "unreachable"), "");
    const { code, err } = await deploy(credentials);
    expect(code).toBe(ExitCode.preflight);
    expect(err).toContain("docker does not reach its engine: Cannot connect to the Docker daemon");
    expect(changes()).toEqual([]);
  });

  it.each(shells)("hands every secret to docker on standard input alone (%s)", {
    timeout: 30_000,
  }, async (shellName) => {
    // Variables that the script uses itself must not stay exported when they come from outside.
    const collisions = {
      password: "x",
      htpasswd: "x",
      user: "x",
      machine: "x",
      basic: "x",
      hash: "x",
      found: "x",
      present: "x",
      merged: "x",
    };
    const env = {
      ...credentials,
      ...collisions,
      HEPHAESTUS_RESOLVE_IMAGE: "never",
      DOCKER_HOST: "ssh://manager",
    };
    const { code, out, err } = await deploy(env, ["reg", "compose.yml"], shellName.split(" "));
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toContain("secrets: generation 1 created\n");
    expect(out.split("\n").at(-1)).toBe("deploy: ready: reg generation=1 reg_registry=1/1 reg_gateway=2/2");

    expect(secrets()).toEqual(["reg_gateway_1", "reg_htpasswd_1", "reg_http-secret_1", "reg_ui_1"]);
    const basic = /^default "Basic ([A-Za-z0-9+/=]+)";\n$/.exec(read("secrets/reg_gateway_1"))?.[1] ?? "";
    const [name, gatewayPassword = ""] = Buffer.from(basic, "base64").toString().split(":");
    expect(name).toBe("hephaestus-gateway");
    expect(gatewayPassword).toMatch(/^[0-9a-f]{64}$/);
    const lines = read("secrets/reg_htpasswd_1").split("\n");
    expect(lines.map((line) => line.split(":")[0])).toEqual([
      "alice",
      "bob",
      "hephaestus-gateway",
      "hephaestus-ui",
      "",
    ]);
    expect(lines[1]).toBe(`bob:${hash}`);
    const uiBasic =
      /^NGINX_PROXY_HEADER_Authorization=Basic (\S+)\n$/.exec(read("secrets/reg_ui_1"))?.[1] ?? "";
    const [uiName, uiPassword = ""] = Buffer.from(uiBasic, "base64").toString().split(":");
    expect(uiName).toBe("hephaestus-ui");
    const [gatewayHash = "", uiHash = ""] = lines.slice(2, 4).map((line) => line.split(":")[1] ?? "");
    for (const [machine, machineHash] of [
      [gatewayPassword, gatewayHash],
      [uiPassword, uiHash],
    ] as const) {
      expect(machineHash).toMatch(/^\$2y\$04\$/);
      expect(bcrypt.compareSync(machine, machineHash)).toBe(true);
    }
    const httpSecret = /^ {2}secret: ([0-9a-f]{64})\n$/.exec(read("secrets/reg_http-secret_1"))?.[1] ?? "";
    expect(httpSecret).not.toBe("");

    const seen = read("argv") + read("environment") + read("children") + out;
    expect(read("environment")).toContain("DOCKER_HOST=ssh://manager");
    expect(seen).not.toContain("REGISTRY_");
    for (const secret of [
      password,
      hash,
      gatewayHash,
      uiHash,
      gatewayPassword,
      uiPassword,
      basic,
      uiBasic,
      httpSecret,
    ]) {
      expect(secret.length).toBeGreaterThan(20);
      expect(seen).not.toContain(secret);
    }
  });

  it("labels the secrets and deploys with their generation, under a lock that it gives back", async () => {
    await deploy({ ...credentials, HEPHAESTUS_RESOLVE_IMAGE: "never" });
    const given = "[--label] [hephaestus.generation=1] [--label] [hephaestus.password=given]";
    const changed = " [--label] [hephaestus.changed.alice=TIME] [--label] [hephaestus.changed.bob=TIME]";
    const secret = (kind: string, more = "") =>
      `docker [secret] [create] [--label] [hephaestus.stack=reg] [--label] [hephaestus.secret=${kind}]${more}`;
    const [lock, ...others] = changes().map((line) => line.replace(/\d{4}-\d\d-\d\dT[\d:]{8}Z/g, "TIME"));
    expect(lock).toMatch(
      /^docker \[config\] \[create\] \[--label\] \[hephaestus\.stack=reg\] \[--label\] \[hephaestus\.lock\.holder=.+@.+ pid \d+\]/,
    );
    expect(others).toEqual([
      `${secret("http-secret")} [reg_http-secret_1] [-]`,
      `${secret("htpasswd", ` ${given}${changed}`)} [reg_htpasswd_1] [-]`,
      `${secret("gateway", ` ${given}`)} [reg_gateway_1] [-]`,
      `${secret("ui", ` ${given}`)} [reg_ui_1] [-]`,
      "docker [stack] [deploy] [--prune] [--with-registry-auth] [--resolve-image] [never] [-c] [compose.yml] [reg]",
      "docker [config] [rm] [id-of-reg_lock]",
    ]);
    expect(read("deployed")).toBe("1 1\n");
    expect(read("locks-while-deploying")).toBe("reg_lock\n");
    const expires = Number(/lock\.expires=(\d+)/.exec(lock ?? "")?.[1]);
    expect(Math.abs(expires - (Date.now() / 1000 + 600))).toBeLessThan(60);
  });

  it("keeps the secrets that exist, with or without the variables", async () => {
    await deploy(credentials);
    const before = read("secrets/reg_htpasswd_1");
    for (const env of [credentials, {}, { REGISTRY_USERNAME: "" }]) {
      const { code, out } = await deploy(env);
      expect(code).toBe(0);
      expect(out).toContain("secrets: generation 1 kept");
    }
    expect(read("secrets/reg_htpasswd_1")).toBe(before);
    expect(secrets()).toHaveLength(4);
  });

  it("prefers the generations that the services run with, else takes the newest ones", async () => {
    const make = (g: number) => {
      for (const kind of ["htpasswd", "gateway", "ui"])
        writeFileSync(join(stub, "secrets", `reg_${kind}_${g}`), "x");
    };
    make(2);
    make(10);
    expect((await deploy()).out).toContain("secrets: generation 10 kept");
    make(2);
    writeFileSync(join(stub, "services", "reg_registry"), "reg_http-secret_1\nreg_htpasswd_2\n");
    expect((await deploy()).out).toContain("secrets: generation 2 kept");
    expect(read("deployed")).toBe("2 10\n");
  });

  it("removes what is left of incomplete machine accounts, and does not use their number again", async () => {
    writeFileSync(join(stub, "secrets", "reg_gateway_3"), "x");
    const { out } = await deploy(credentials);
    expect(out).toContain("secrets: generation 1 created\n");
    expect(out).toContain("secrets: removed what nothing uses any more: reg_gateway_3\n");
    expect(secrets()).toEqual(["reg_gateway_4", "reg_htpasswd_1", "reg_http-secret_1", "reg_ui_4"]);
    expect(users(1)).toEqual(["alice", "bob", "hephaestus-gateway-4", "hephaestus-ui-4"]);
  });

  describe("a changed password", () => {
    const newer = "newer $ecret";
    const newerHash = bcrypt.hashSync(newer, 4);
    const changed = {
      ...credentials,
      REGISTRY_HTPASSWD: `bob:${newerHash}`,
      REGISTRY_RAW_PASSWORD: newer,
    };
    const old = "2020-01-02T03:04:05Z";
    const labels = (g: number) =>
      Object.fromEntries(
        read(`labels/reg_htpasswd_${g}`)
          .trim()
          .split("\n")
          .map((line) => line.split("=")),
      );

    /** Generation 1, deployed long ago. */
    beforeEach(async () => {
      expect(await deploy(credentials)).toMatchObject({ code: 0 });
      const file = join(stub, "labels", "reg_htpasswd_1");
      writeFileSync(file, readFileSync(file, "utf8").replace(/=20\d\d-.*/g, `=${old}`));
      for (const name of ["argv", "environment", "children"]) rmSync(join(stub, name));
    });

    it("is none if the same password comes with another salt", async () => {
      const before = read("secrets/reg_htpasswd_1");
      const REGISTRY_HTPASSWD = `bob:${bcrypt.hashSync(password, 4)}`;
      const { code, out } = await deploy({ ...credentials, REGISTRY_HTPASSWD });
      expect(code).toBe(0);
      expect(out).toContain("secrets: generation 1 kept\n");
      expect(read("secrets/reg_htpasswd_1")).toBe(before);
      expect(secrets()).toHaveLength(4);
    });

    it.each(shells)("makes a new htpasswd, and nothing else (%s)", async (shellName) => {
      const before = read("secrets/reg_htpasswd_1");
      const machines = read("secrets/reg_gateway_1") + read("secrets/reg_ui_1");
      const { code, out, err } = await deploy(changed, ["reg", "compose.yml"], shellName.split(" "));
      expect({ code, err }).toEqual({ code: 0, err: "" });
      expect(out).toContain("secrets: generation 2 created, new password of: bob\n");
      expect(out).toContain("secrets: removed what nothing uses any more: reg_htpasswd_1\n");
      expect(read("deployed")).toBe("2 1\n");
      expect(secrets()).toEqual(["reg_gateway_1", "reg_htpasswd_2", "reg_http-secret_1", "reg_ui_1"]);
      expect(read("secrets/reg_htpasswd_2")).toBe(before.replace(hash, newerHash));
      expect(read("secrets/reg_gateway_1") + read("secrets/reg_ui_1")).toBe(machines);
      expect(labels(2)).toEqual({
        "hephaestus.stack": "reg",
        "hephaestus.secret": "htpasswd",
        "hephaestus.generation": "2",
        "hephaestus.password": "given",
        "hephaestus.changed.alice": old,
        "hephaestus.changed.bob": expect.stringMatching(/^202[4-9]-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      });
      expect(labels(2)["hephaestus.changed.bob"]).not.toBe(old);
      const seen = read("argv") + read("environment") + read("children") + out;
      for (const secret of [newer, newerHash, ...(before.match(/\$2.*/g) ?? [])])
        expect(seen).not.toContain(secret);
      expect((await deploy(changed)).out).toContain("secrets: generation 2 kept");
    });

    it("adds users, changes others by their hash, and removes nobody", async () => {
      const carol = bcrypt.hashSync("carol's", 4);
      const given = [`alice:${hash}`, `carol:${carol}`, `bob:${hash}`];
      const { out } = await deploy({ ...credentials, REGISTRY_HTPASSWD: given.join("\n") });
      expect(out).toContain("secrets: generation 2 created, new password of: alice,carol\n");
      expect(users(2)).toEqual(["alice", "bob", "carol", "hephaestus-gateway", "hephaestus-ui"]);
      expect(labels(2)).toMatchObject({ "hephaestus.changed.bob": old });
    });

    it("keeps the passwords if the variables are left out", async () => {
      expect((await deploy()).out).toContain("secrets: generation 1 kept\n");
      expect(read("argv")).not.toContain("[exec]");
    });

    it("asks a service of its own where no task of the registry is at hand, and removes it", async () => {
      writeFileSync(join(stub, "elsewhere-reg_registry"), "");
      expect((await deploy(changed)).out).toContain("secrets: generation 2 created, new password of: bob\n");
      const create = (image: string) =>
        "docker [service] [create] [--detach] [--quiet] [--no-resolve-image] [--with-registry-auth] [--name] [reg_htpasswd-reader] " +
        "[--label] [hephaestus.stack=reg] [--constraint] [node.id==node-1] [--restart-condition] [none] [--no-healthcheck] " +
        `[--log-driver] [none] [--secret] [source=reg_htpasswd_1,target=htpasswd] [--entrypoint] [sleep] [${image}] [60]`;
      expect(read("argv").match(/^docker \[service\] \[create\].*$/gm)).toEqual([
        create("nginx:running"),
        create("nginx:1.28.0-alpine"),
      ]);
      expect(existsSync(join(stub, "services", "reg_htpasswd-reader"))).toBe(false);
    });

    it("is refused while the users cannot be read back", { timeout: 30_000 }, async () => {
      writeFileSync(join(stub, "elsewhere-reg_registry"), "");
      writeFileSync(join(stub, "pullable"), "nothing");
      const { code, err } = await deploy(changed);
      expect(code).toBe(ExitCode.preflight);
      expect(err).toContain("deploy: the users in reg_htpasswd_1 cannot be read back");
      expect(secrets()).toHaveLength(4);
      expect(existsSync(join(stub, "services", "reg_htpasswd-reader"))).toBe(false);
    });

    it("heals after a run that was killed before it deployed", async () => {
      writeFileSync(join(stub, "secrets", "reg_htpasswd_2"), "orphan");
      const { out } = await deploy(changed);
      expect(out).toContain("secrets: generation 3 created, new password of: bob\n");
      expect(secrets()).toEqual(["reg_gateway_1", "reg_htpasswd_3", "reg_http-secret_1", "reg_ui_1"]);
    });

    it.each([
      ["in use", true],
      ["the newest", false],
    ])("goes back from a generation that was never handed over, if it is %s", async (_, inUse) => {
      writeFileSync(join(stub, "secrets", "reg_htpasswd_2"), "unknown");
      writeFileSync(join(stub, "labels", "reg_htpasswd_2"), "hephaestus.password=generated\n");
      const services = join(stub, "services");
      if (inUse) writeFileSync(join(services, "reg_registry"), "reg_htpasswd_2\n");
      else for (const name of readdirSync(services)) rmSync(join(services, name));
      const { out } = await deploy(credentials);
      expect(out).toContain(
        "secrets: generation 2 was never handed over; back to generation 1, whose passwords are valid\n",
      );
      expect(out).toContain("secrets: generation 1 kept\n");
      expect(read("deployed")).toBe("1 1\n");
      expect(secrets()).not.toContain("reg_htpasswd_2");
    });

    it("keeps a generated password that was handed over, and forgets that with its generation", async () => {
      writeFileSync(join(stub, "labels", "reg_htpasswd_1"), "hephaestus.password=generated\n");
      writeFileSync(join(stub, "configs", "reg_handed-over_1"), "");
      expect((await deploy()).out).toContain("secrets: generation 1 kept\n");
      expect(readdirSync(join(stub, "configs"))).toEqual(["reg_handed-over_1"]);
      expect((await deploy(changed)).out).toContain("secrets: generation 2 created, new password of: bob\n");
      expect(readdirSync(join(stub, "configs"))).toEqual([]);
    });

    it("replaces the only generation if it was never handed over", async () => {
      writeFileSync(join(stub, "labels", "reg_htpasswd_1"), "hephaestus.password=generated\n");
      expect(await deploy()).toMatchObject({ code: ExitCode.usage });
      expect((await deploy(credentials)).out).toContain("secrets: generation 2 created\n");
      expect(read("deployed")).toBe("2 1\n");
    });

    it("makes new machine accounts where their secrets are gone, and keeps the old lines", async () => {
      const before = read("secrets/reg_htpasswd_1");
      rmSync(join(stub, "secrets", "reg_ui_1"));
      expect((await deploy()).out).toContain("secrets: generation 2 created\n");
      expect(read("secrets/reg_htpasswd_2").startsWith(before)).toBe(true);
      expect(users(2).slice(4)).toEqual(["hephaestus-gateway-2", "hephaestus-ui-2"]);
      expect(secrets()).toEqual(["reg_gateway_2", "reg_htpasswd_2", "reg_http-secret_1", "reg_ui_2"]);
    });

    it.each(["paused", "rollback_completed"])("is taken back if the rollout fails: %s", async (state) => {
      writeFileSync(join(stub, "updates"), `reg_registry completed\nreg_gateway ${state}\n`);
      const { code, err } = await deploy(changed);
      expect(code).toBe(ExitCode.rollout);
      expect(err).toContain(
        `deploy: the rollout failed: reg_gateway 2/2 ${state}; the passwords are those of generation 1\n`,
      );
      expect(read("argv")).toContain("docker [service] [rollback] [--detach] [--quiet] [reg_registry]\n");
      expect(secrets()).toEqual(["reg_gateway_1", "reg_htpasswd_1", "reg_http-secret_1", "reg_ui_1"]);
    });

    it("is taken back if docker refuses the stack", async () => {
      writeFileSync(join(stub, "no-deploy"), "");
      const { code, err } = await deploy(changed);
      expect(code).toBe(ExitCode.rollout);
      expect(err).toContain("; the passwords are those of generation 1");
      expect(read("argv")).not.toContain("[rollback]");
      expect(secrets()).not.toContain("reg_htpasswd_2");
    });
  });

  it("names the variables that are missing", async () => {
    const { code, err } = await deploy({ ...credentials, REGISTRY_RAW_PASSWORD: "" });
    expect(code).toBe(ExitCode.usage);
    expect(err).toContain("missing in the environment: REGISTRY_RAW_PASSWORD\n");
    const first = await deploy();
    expect(first.code).toBe(ExitCode.usage);
    expect(first.err).toContain(
      "the first deploy of reg needs REGISTRY_HTPASSWD REGISTRY_USERNAME REGISTRY_RAW_PASSWORD\n",
    );
    expect(changes()).toEqual([]);
  });

  it("refuses hashes that the registry does not know, by line and name, and shows none of them", async () => {
    const { code, out, err } = await deploy({
      ...credentials,
      REGISTRY_HTPASSWD: `alice:${hash}\nbob:$apr1$Zm9vYmFy$secrethash\n\nno colon here\ncarol:${hash.slice(0, 50)}\nhephaestus-gateway:${hash}`,
    });
    expect({ code, out }).toEqual({ code: ExitCode.credentials, out: "" });
    expect(err.split("\n")).toEqual([
      "deploy: REGISTRY_HTPASSWD was refused:",
      "deploy:   line 2 (user bob): hash is not bcrypt; make it with: htpasswd -nB bob",
      "deploy:   line 4: is not user:hash",
      "deploy:   line 5 (user carol): bcrypt hash has 50 characters instead of 60; was it cut off?",
      "deploy:   line 6 (user hephaestus-gateway): names with hephaestus- are kept for machine accounts; choose another one",
    ]);
    expect(changes()).toEqual([]);
  });

  it.each([
    ["a wrong password", { REGISTRY_RAW_PASSWORD: `${password}x` }, "is not the password of bob"],
    ["an unknown user", { REGISTRY_USERNAME: "bo" }, "bo is not in REGISTRY_HTPASSWD"],
    [
      "a line break at the end of the password",
      { REGISTRY_RAW_PASSWORD: `${password}\n` },
      "has a line break",
    ],
    ["an htpasswd of comments", { REGISTRY_HTPASSWD: "# nobody\n" }, "it has no users"],
    [
      "the password of an earlier line of the same name",
      { REGISTRY_HTPASSWD: `bob:${hash}\nbob:${bcrypt.hashSync("newer", 4)}` },
      "is not the password of bob",
    ],
  ])("refuses %s and creates nothing", async (_, env, reason) => {
    const { code, out, err } = await deploy({ ...credentials, ...env });
    expect({ code, out }).toEqual({ code: ExitCode.credentials, out: "" });
    expect(err).toContain(reason);
    expect(err).not.toContain(password);
    expect(changes()).toEqual([]);
    expect(secrets()).toEqual([]);
  });

  it.each(["$2a$", "$2b$", "$2y$"])("accepts the bcrypt spelling %s", async (prefix) => {
    const { code } = await deploy({ ...credentials, REGISTRY_HTPASSWD: `bob:${prefix}${hash.slice(4)}` });
    expect(code).toBe(0);
  });

  it("takes htpasswd where there is no perl, and leaves no file behind", async (context) => {
    if (!which("htpasswd")) context.skip("htpasswd is not installed (apt-get install apache2-utils)");
    rmSync(join(stub, "bin", "perl"));
    mkdirSync(join(home, "tmp"));
    const env = { ...credentials, TMPDIR: join(home, "tmp") };
    const wrong = await deploy({ ...env, REGISTRY_RAW_PASSWORD: "wrong" });
    expect(wrong).toMatchObject({ code: ExitCode.credentials });
    expect(changes()).toEqual([]);
    expect(await deploy(env)).toMatchObject({ code: 0, err: "" });
    const basic = /Basic (\S+)"/.exec(read("secrets/reg_gateway_1"))?.[1] ?? "";
    const reader = Buffer.from(basic, "base64").toString().split(":")[1] ?? "";
    const readerHash = /^hephaestus-gateway:(\$2y\$04\$.+)$/m.exec(read("secrets/reg_htpasswd_1"))?.[1] ?? "";
    expect(bcrypt.compareSync(reader, readerHash)).toBe(true);
    const other = { REGISTRY_HTPASSWD: `bob:${bcrypt.hashSync("other", 4)}`, REGISTRY_RAW_PASSWORD: "other" };
    expect((await deploy({ ...env, ...other })).out).toContain(
      "generation 2 created, new password of: bob\n",
    );
    const scratches = read("children").match(/\S+\/deploy\.(?!X{6})[A-Za-z0-9]{6}/g) ?? [];
    expect(new Set(scratches).size).toBe(3);
    expect(scratches.filter((path) => existsSync(path))).toEqual([]);
    for (const secret of [password, hash, reader, readerHash]) expect(read("children")).not.toContain(secret);
  });

  it("says which packages bring bcrypt where nothing has it", async () => {
    rmSync(join(stub, "bin", "perl"), { force: true });
    rmSync(join(stub, "bin", "htpasswd"), { force: true });
    const { code, err } = await deploy(credentials);
    expect(code).toBe(ExitCode.preflight);
    expect(err).toContain("install perl, or apache2-utils");
    expect(changes()).toEqual([]);
  });

  describe("the lock", () => {
    const now = () => Math.floor(Date.now() / 1000);
    const hold = (expires: number, host: string, pid: number) =>
      writeFileSync(
        join(stub, "configs", "reg_lock"),
        `id-of-reg_lock\n${expires}\n${host}\n${pid}\ncarol@${host} pid ${pid}\n`,
      );

    it.each([
      ["another host", () => "elsewhere", () => spawnSync("true").pid],
      ["a living process of this host", hostname, () => process.pid],
    ])("stops a deploy while %s holds it", async (_, host, anyPid) => {
      const pid = anyPid();
      hold(now() + 100, host(), pid);
      const { code, err } = await deploy(credentials);
      expect(code).toBe(ExitCode.locked);
      expect(err).toContain(`another deploy of reg is running: carol@${host()} pid ${pid}\n`);
      expect(err).toMatch(/its lock expires in \d+ s/);
      expect(secrets()).toEqual([]);
      expect(read("configs/reg_lock")).not.toBe("");
      expect(read("deployed")).toBe("");
    });

    it.each([
      ["has expired", () => now() - 1, () => "elsewhere", () => 1],
      ["belongs to a dead process of this host", () => now() + 100, hostname, () => spawnSync("true").pid],
    ])("is taken over when it %s", async (_, expires, host, pid) => {
      hold(expires(), host(), pid());
      const { code, out } = await deploy(credentials);
      expect(code).toBe(0);
      expect(out).toContain("lock: removed the one of carol@");
      expect(readdirSync(join(stub, "configs"))).not.toContain("reg_lock");
    });

    it("is given back once when docker refuses a secret half-way", async () => {
      writeFileSync(join(stub, "no-reg_gateway_1"), "");
      const { code, err } = await deploy(credentials);
      expect(code).toBe(ExitCode.preflight);
      expect(err.split("\n")).toEqual([
        "Error response from daemon: no space left",
        "deploy: docker secret create reg_gateway_1 failed (its own words are above)",
      ]);
      expect(changes().filter((line) => line.includes("[config] [rm]"))).toHaveLength(1);
      expect(read("deployed")).toBe("");
    });
  });

  it("ends a job that a killed run left, before anything else", async () => {
    writeFileSync(join(stub, "services", "reg_job-gc"), "");
    const { code, out } = await deploy(credentials);
    expect(code).toBe(0);
    expect(out).toContain("jobs: ended reg_job-gc, which nobody waited for");
    expect(existsSync(join(stub, "services", "reg_job-gc"))).toBe(false);
    const argv = read("argv");
    expect(argv.indexOf("[service] [rm] [reg_job-gc]")).toBeLessThan(argv.indexOf("[stack] [deploy]"));
  });

  it("fails with the tasks' errors and last log lines when a service was rolled back", async () => {
    writeFileSync(join(stub, "updates"), "reg_registry rollback_completed\nreg_gateway \n");
    const { code, err } = await deploy(credentials);
    expect(code).toBe(ExitCode.rollout);
    expect(err).toContain('reg_registry.1 on node-1: Failed 3 seconds ago: "task: non-zero exit (1)"');
    expect(err).toContain("the registry's last words");
    expect(err).toContain("deploy: the rollout failed: reg_registry 1/1 rollback_completed\n");
    expect(readdirSync(join(stub, "configs"))).toEqual([]);
  });

  it("gives up after HEPHAESTUS_TIMEOUT seconds", async () => {
    writeFileSync(join(stub, "updates"), "reg_registry updating\nreg_gateway \n");
    const { code, out, err } = await deploy({ ...credentials, HEPHAESTUS_TIMEOUT: "1" });
    expect(code).toBe(ExitCode.rollout);
    expect(out).toContain("waiting: reg_registry 1/1 updating");
    expect(err).toContain("not all services run after 1 s: reg_registry 1/1 updating\n");
  });
});
