import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import bcrypt from "bcryptjs";
import { beforeEach, describe, expect, it } from "vitest";
import { ExitCode } from "../../../src/errors.js";
import { DEPLOY, home, type Outcome, shell, shells, useHome, which } from "./shell.js";

useHome();

/** Plays a Swarm manager out of files below $STUB, and writes down what it was told, by which way. */
const DOCKER_STUB = `#!/bin/sh
{ printf 'docker'; for word; do printf ' [%s]' "$word"; done; echo; } >> "$STUB/argv"
[ ! -e "$STUB/watched" ] || env >> "$STUB/environment"
for last; do :; done
words=$*
# Of lines with a name and the stack that it belongs to, the names that the filters ask for; all are in the namespace.
matching() {
  case $words in *hephaestus.stack=reg*) sed -n 's/ reg$//p' ;; *) sed 's/ .*//' ;; esac
}
case "$1 $2" in
  "info "*)
    if [ -e "$STUB/unreachable" ]; then echo "Cannot connect to the Docker daemon" >&2; exit 1; fi
    case $* in
    *SystemTime*) cat "$STUB/time" 2>/dev/null || date -u +%Y-%m-%dT%H:%M:%S.123456789Z ;;
    *) cat "$STUB/info" ;;
    esac ;;
  "secret ls") case $* in
    *namespace*) matching 2>/dev/null < "$STUB/stack-secrets" || : ;;
    *) for f in "$STUB"/secrets/*; do
      [ ! -e "$f" ] || echo "\${f##*/} reg"
    done ;;
    esac ;;
  "network ls") matching 2>/dev/null < "$STUB/stack-networks" || : ;;
  "secret rm")
    ! grep -qx "$3" "$STUB"/services/* 2>/dev/null || { echo "Error response from daemon: $3 is in use" >&2; exit 1; }
    rm "$STUB/secrets/$3" ;;
  "secret create" | "config create")
    for word; do case $word in -) ;; *) name=$word ;; esac; done
    [ ! -e "$STUB/no-$name" ] || { echo "Error response from daemon: no space left" >&2; exit 1; }
    [ ! -e "$STUB/$1s/$name" ] || { echo "Error response from daemon: $name already exists" >&2; exit 1; }
    for word; do case $word in hephaestus.*) echo "$word" >> "$STUB/labels/$name" ;; esac; done
    [ ! -e "$STUB/meanwhile" ] || . "$STUB/meanwhile"
    cat > "$STUB/$1s/$name"; echo "id-of-$name" ;;
  "config ls") case $* in
    *namespace*) matching 2>/dev/null < "$STUB/stack-configs" || : ;;
    *_history_*) ls "$STUB/configs" | sed -n "s/.*_history_.*/& deploy/p" ;;
    *) ls "$STUB/configs" | sed -n "/handed-over/p" ;;
    esac ;;
  "config inspect") cat "$STUB/configs/reg_lock" ;;
  "config rm") rm "$STUB/configs/\${3#id-of-}" 2>/dev/null || sed -i "/^$3 /d" "$STUB/stack-configs" ;;
  "service ls")
    [ ! -e "$STUB/blind" ] || case $* in *_job-* | *namespace*) ;; *) exit 1 ;; esac
    case $* in
    *_job-*) ls "$STUB/services" | sed -n "/_job-/p" ;;
    *Replicas*) echo "reg_registry 1/1"; echo "reg_gateway 2/2"; echo "reg_web 0/1" ;;
    *) for f in "$STUB"/services/*; do
      case $words in *namespace*) [ ! -e "$STUB/outside-\${f##*/}" ] || continue ;; esac
      [ ! -e "$f" ] || echo "\${f##*/} $(cat "$STUB/owner-\${f##*/}" 2>/dev/null || echo reg)"
    done | matching ;;
    esac ;;
  "service inspect") case $* in
    *SecretName*) cat "$STUB/services/$last" ;;
    *Image*) [ ! -e "$STUB/services/reg_gateway" ] || echo "nginx:running" ;;
    *) cat "$STUB/updates" ;;
    esac ;;
  "service rm") rm "$STUB/services/$3" ;;
  "service ps") echo 'reg_registry.1 on node-1: Failed 3 seconds ago: "task: non-zero exit (1)"' ;;
  "service logs") printf "the registry's last words \\033[2J\\007\\r\\302\\233\\n" ;;
  "stack deploy")
    echo "\${HEPHAESTUS_S3_GENERATION:-none}" > "$STUB/deployed-storage"
    ls "$STUB/configs" > "$STUB/locks-while-deploying"
    echo "$HEPHAESTUS_GENERATION $HEPHAESTUS_MACHINE_GENERATION" > "$STUB/deployed"
    [ ! -e "$STUB/no-deploy" ] || { echo "Error response from daemon: no" >&2; exit 1; }
    printf '%s\\n' reg_http-secret_1 "reg_htpasswd_$HEPHAESTUS_GENERATION" > "$STUB/services/reg_registry"
    printf '%s\\n' "reg_gateway_$HEPHAESTUS_MACHINE_GENERATION" > "$STUB/services/reg_gateway"
    printf '%s\\n' "reg_ui_$HEPHAESTUS_MACHINE_GENERATION" > "$STUB/services/reg_registry-admin" ;;
  "ps "*)
    service=$(echo "$*" | sed -n 's/.*service.name=\\([^ ]*\\).*/\\1/p')
    [ ! -e "$STUB/services/$service" ] || [ -e "$STUB/elsewhere-$service" ] || echo "container-$service" ;;
  "inspect --type") cat "$STUB/old-task" 2>/dev/null || cat "$STUB/services/\${last#task-}" ;;
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
  /** Everything that the script may run. */
  const tools = [
    ...["awk", "base64", "cat", "cut", "date", "env", "grep", "head", "id", "ls", "mktemp", "od", "paste"],
    ...["perl", "readlink", "rm", "sed", "sort", "tail", "timeout", "tr", "uname", "wc"],
  ];
  let stub: string;

  beforeEach(() => {
    stub = join(home, "stub");
    for (const folder of ["", "bin", "secrets", "configs", "labels", "services"])
      mkdirSync(join(stub, folder));
    for (const tool of tools) {
      const real = which(tool);
      if (real) symlinkSync(real, join(stub, "bin", tool));
    }
    writeFileSync(join(stub, "bin", "docker"), DOCKER_STUB, { mode: 0o755 });
    // Waiting is cut short.
    writeFileSync(join(stub, "bin", "sleep"), "#!/bin/sh\n", { mode: 0o755 });
    writeFileSync(join(stub, "info"), "active true\n");
    writeFileSync(join(stub, "updates"), "reg_registry completed\nreg_gateway \n");
    writeFileSync(join(home, "compose.yml"), COMPOSE);
  });

  /** From here on each program leaves its arguments and environment behind, which takes three times as long. */
  function watch(): void {
    writeFileSync(join(stub, "watched"), "");
    for (const tool of readdirSync(join(stub, "bin")).filter((name) => tools.includes(name))) {
      const script = `#!/bin/sh\n{ printf '%s ' ${tool} "$@"; ${which("env")}; } >> "$STUB/children"\nexec ${which(tool)} "$@"\n`;
      rmSync(join(stub, "bin", tool));
      writeFileSync(join(stub, "bin", tool), script, { mode: 0o755 });
    }
  }

  /** What the programs were told since then. */
  const told = () =>
    ["argv", "environment", "children"]
      .map((name) => {
        expect(read(name), name).not.toBe("");
        return read(name);
      })
      .join("\n");

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
    [["Reg", "compose.yml"], "'Reg' is not a stack name", ExitCode.usage],
    [["-reg", "compose.yml"], "'-reg' is not a stack name", ExitCode.usage],
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
    expect((await deploy(credentials)).err).toContain(
      "compose.yml was not rendered by this version of hephaestus\n",
    );
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

  it("creates the accounts of library and mirror, and the secrets that people give, and keeps them out of sight", async () => {
    const given = `\
  library:
    external: true
    name: reg_library_\${HEPHAESTUS_MACHINE_GENERATION:-1}
  mirror:
    external: true
    name: reg_mirror_\${HEPHAESTUS_MACHINE_GENERATION:-1}
  mirror-logins:
    external: true
    name: reg_mirror-logins_\${HEPHAESTUS_MIRROR_GENERATION:-1}
  notification-headers:
    external: true
    name: reg_notification-headers_\${HEPHAESTUS_NOTIFICATION_GENERATION:-1}
`;
    writeFileSync(join(home, "compose.yml"), COMPOSE + given);
    watch();
    const missing = await deploy(credentials, ["reg", "compose.yml"]);
    expect(missing.code).toBe(ExitCode.usage);
    expect(missing.err).toContain("set REGISTRY_MIRROR_LOGINS");
    const env = {
      ...credentials,
      REGISTRY_MIRROR_LOGINS: '{"auths":{"quay.io":{"auth":"bG9naW4="}}}',
      REGISTRY_NOTIFICATION_HEADERS: '{"ci":{"Authorization":"Bearer headers-5"}}',
    };
    const { code, err, out } = await deploy(env, ["reg", "compose.yml"]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const [user, machine = ""] = read("secrets/reg_mirror_1").split(":");
    expect(user).toBe("hephaestus-mirror");
    const hashes = new Map(
      read("secrets/reg_htpasswd_1")
        .split("\n")
        .map((line) => line.split(":") as [string, string]),
    );
    expect(bcrypt.compareSync(machine, hashes.get("hephaestus-mirror") ?? "")).toBe(true);
    const [, basic = ""] =
      /^NGINX_PROXY_HEADER_Authorization=Basic (\S+)\n$/.exec(read("secrets/reg_library_1")) ?? [];
    const [library = "", reading = ""] = Buffer.from(basic, "base64").toString().split(":");
    expect(library).toBe("hephaestus-library");
    expect(bcrypt.compareSync(reading, hashes.get(library) ?? "")).toBe(true);
    expect(read("secrets/reg_mirror-logins_1")).toBe(env.REGISTRY_MIRROR_LOGINS);
    expect(read("secrets/reg_notification-headers_1")).toBe(env.REGISTRY_NOTIFICATION_HEADERS);
    expect(read("argv")).toContain("docker [service] [update] [--detach] [--quiet] [--force] [reg_mirror]");
    const seen = told() + out;
    for (const secret of [machine, reading, basic, "bG9naW4=", "headers-5"])
      expect(seen).not.toContain(secret);
  });

  it("creates the keys of an S3 storage once, on standard input, and asks for them before anything is created", async () => {
    const bucket = `${COMPOSE}  s3:\n    external: true\n    name: reg_s3_\${HEPHAESTUS_S3_GENERATION:-1}\n`;
    writeFileSync(join(home, "compose.yml"), bucket);
    watch();
    const without = await deploy(credentials);
    expect(without).toMatchObject({ code: ExitCode.usage });
    expect(without.err).toContain("set REGISTRY_S3_ACCESS_KEY_ID and REGISTRY_S3_SECRET_ACCESS_KEY");
    expect(changes()).toEqual([]);
    const keys = { REGISTRY_S3_ACCESS_KEY_ID: "anvil", REGISTRY_S3_SECRET_ACCESS_KEY: "hammer/and+tongs" };
    expect(await deploy({ ...credentials, ...keys })).toMatchObject({ code: ExitCode.ok });
    expect(read("secrets/reg_s3_1")).toBe(
      "[default]\naws_access_key_id = anvil\naws_secret_access_key = hammer/and+tongs\n",
    );
    expect(read("deployed-storage")).toBe("1\n");
    expect(told()).not.toContain("hammer/and+tongs");
    expect(await deploy()).toMatchObject({ code: ExitCode.ok });
    expect(secrets().filter((name) => name.includes("_s3_"))).toEqual(["reg_s3_1"]);
    expect(read("deployed-storage")).toBe("1\n");
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
      differing: "x",
    };
    const env = {
      ...credentials,
      ...collisions,
      HEPHAESTUS_RESOLVE_IMAGE: "never",
      DOCKER_HOST: "ssh://manager",
    };
    watch();
    const { code, out, err } = await deploy(env, ["reg", "compose.yml"], shellName.split(" "));
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toContain("secrets: reg_htpasswd_1 created\n");
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

    const seen = told() + out;
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
    const given = "[--label] [hephaestus.generation=1]";
    const changed = " [--label] [hephaestus.changed.alice=TIME] [--label] [hephaestus.changed.bob=TIME]";
    const secret = (kind: string, more = "") =>
      `docker [secret] [create] [--label] [hephaestus.stack=reg] [--label] [hephaestus.secret=${kind}]${more}`;
    const [lock, ...others] = changes().map((line) => line.replace(/\d{4}-\d\d-\d\dT[\d:]{8}Z/g, "TIME"));
    expect(lock).toMatch(
      /^docker \[config\] \[create\] \[--label\] \[hephaestus\.stack=reg\] \[--label\] \[hephaestus\.lock\.holder=.+@.+ pid \d+\]/,
    );
    expect(others).toEqual([
      `${secret("http-secret", ` ${given}`)} [reg_http-secret_1] [-]`,
      `${secret("gateway", ` ${given}`)} [reg_gateway_1] [-]`,
      `${secret("ui", ` ${given}`)} [reg_ui_1] [-]`,
      `${secret("htpasswd", ` ${given}${changed}`)} [reg_htpasswd_1] [-]`,
      "docker [stack] [deploy] [--with-registry-auth] [--resolve-image] [never] [-c] [compose.yml] [reg]",
      "docker [config] [rm] [id-of-reg_lock]",
    ]);
    expect(read("deployed")).toBe("1 1\n");
    expect(read("locks-while-deploying")).toBe("reg_lock\n");
    // The time for the rollout, and some for the rest.
    expect(lock).toContain("[hephaestus.lock.seconds=420] [reg_lock]");
  });

  it("keeps the ends and notes of users, which stand in comments", async () => {
    const remarks =
      "# until alice 20270301\n# note alice builds: a\n# until carol 2027\n#until bob 20270301\n";
    await deploy({ ...credentials, REGISTRY_HTPASSWD: remarks + credentials.REGISTRY_HTPASSWD });
    const lines = read("secrets/reg_htpasswd_1").split("\n");
    expect(lines.slice(0, 2)).toEqual(["# until alice 20270301", "# note alice builds: a"]);
    expect(lines.filter((line) => line.startsWith("#"))).toHaveLength(2);
    expect(read("labels/reg_htpasswd_1")).toContain("hephaestus.until.alice=2027-03-01\n");
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

  it("does not use the number of an incomplete machine account again", async () => {
    writeFileSync(join(stub, "secrets", "reg_gateway_3"), "x");
    const { out } = await deploy(credentials);
    expect(out).toContain("secrets: reg_htpasswd_1 created\n");
    expect(secrets()).toEqual([
      "reg_gateway_3",
      "reg_gateway_4",
      "reg_htpasswd_1",
      "reg_http-secret_1",
      "reg_ui_4",
    ]);
    expect(users(1)).toEqual(["alice", "bob", "hephaestus-gateway-4", "hephaestus-ui-4"]);
  });

  describe("the users of a stack that runs", () => {
    const newer = "newer $ecret";
    const newerHash = bcrypt.hashSync(newer, 4);
    const changed = {
      ...credentials,
      REGISTRY_HTPASSWD: `bob:${newerHash}`,
      REGISTRY_RAW_PASSWORD: newer,
    };

    beforeEach(async () => {
      expect(await deploy(credentials)).toMatchObject({ code: 0 });
      for (const name of ["argv", "deployed"]) rmSync(join(stub, name));
    });

    const expectNothingChanged = () => {
      expect(secrets()).toEqual(["reg_gateway_1", "reg_htpasswd_1", "reg_http-secret_1", "reg_ui_1"]);
      expect(users(1)).toEqual(["alice", "bob", "hephaestus-gateway", "hephaestus-ui"]);
      expect(read("deployed")).toBe("");
      expect(readdirSync(join(stub, "configs")).filter((name) => name.includes("lock"))).toEqual([]);
    };

    it("are kept if the same password comes with another salt, or some of them are not given", async () => {
      const REGISTRY_HTPASSWD = `bob:${bcrypt.hashSync(password, 4)}`;
      const { code, out } = await deploy({ ...credentials, REGISTRY_HTPASSWD });
      expect(code).toBe(0);
      expect(out).toContain("secrets: generation 1 kept\n");
      expect(users(1)).toEqual(["alice", "bob", "hephaestus-gateway", "hephaestus-ui"]);
      expect(secrets()).toHaveLength(4);
    });

    it.each(shells)("stop a deploy with another password, which names the way (%s)", async (shellName) => {
      watch();
      const { code, out, err } = await deploy(changed, ["reg", "compose.yml"], shellName.split(" "));
      expect(code).toBe(ExitCode.credentials);
      expect(err.split("\n")).toEqual([
        "deploy: REGISTRY_HTPASSWD differs from the users in the Swarm, which stay as they are:",
        "deploy:   the password of bob differs: hephaestus rotate-password --user bob --password-stdin",
        "deploy: to fix it: run these commands, or update the variables",
      ]);
      expectNothingChanged();
      const seen = told() + out + err;
      for (const secret of [newer, newerHash, hash]) expect(seen).not.toContain(secret);
    });

    it("stop a deploy with a user who is not there, or with another hash", async () => {
      const given = [`alice:${hash}`, `carol:${newerHash}`, `bob:${hash}`];
      const { code, err } = await deploy({ ...credentials, REGISTRY_HTPASSWD: given.join("\n") });
      expect(code).toBe(ExitCode.credentials);
      expect(err).toContain(
        "deploy:   the password of alice differs: hephaestus rotate-password --user alice",
      );
      expect(err).toContain("deploy:   there is no user carol: hephaestus user add carol --password-stdin\n");
      expect(err).not.toContain("of bob");
      expectNothingChanged();
    });

    it("stop a deploy with another end, which names the way; a missing end leaves theirs", async () => {
      const remarks = "# until alice 20270301\n# note alice builds: a\n";
      const ending = { ...credentials, REGISTRY_HTPASSWD: remarks + credentials.REGISTRY_HTPASSWD };
      const { code, err } = await deploy(ending);
      expect(code).toBe(ExitCode.credentials);
      expect(err.split("\n")[1]).toBe(
        "deploy:   the end of alice differs: hephaestus user update alice --until 2027-03-01",
      );
      expect(err.split("\n")).toHaveLength(3);
      expectNothingChanged();
      writeFileSync(join(stub, "secrets", "reg_htpasswd_1"), remarks + read("secrets/reg_htpasswd_1"));
      expect((await deploy(ending)).err).toBe("");
      expect((await deploy(credentials)).err).toBe("");
    });

    it("are not compared if the variables are not set", async () => {
      expect((await deploy()).out).toContain("secrets: generation 1 kept\n");
      expect(read("argv")).not.toContain("[exec]");
    });

    it.each([
      ["no task of the registry is at hand", "elsewhere-reg_registry", ""],
      ["the task at hand still has the users from before", "old-task", "reg_htpasswd_7\n"],
    ])("are not compared if %s, which is said", async (_what, file, content) => {
      writeFileSync(join(stub, file), content);
      const { code, out } = await deploy(changed);
      expect(code).toBe(ExitCode.ok);
      expect(out).toContain(
        "secrets: the users were not compared, since no task of reg_registry with them runs on this node\nsecrets: generation 1 kept\n",
      );
      expect(users(1)).toEqual(["alice", "bob", "hephaestus-gateway", "hephaestus-ui"]);
    });

    it("are those of the generation in use, whatever other generations there are", async () => {
      writeFileSync(join(stub, "secrets", "reg_htpasswd_2"), "left over");
      expect((await deploy(credentials)).out).toContain("secrets: generation 1 kept\n");
      expect(read("deployed")).toBe("1 1\n");
    });

    it("stay where the secrets of the machine accounts are gone, which hephaestus repairs", async () => {
      rmSync(join(stub, "secrets", "reg_ui_1"));
      const { code, err } = await deploy();
      expect(code).toBe(ExitCode.preflight);
      expect(err).toContain("create them with: hephaestus deploy");
      expect(read("deployed")).toBe("");
    });

    it("stay if docker refuses the stack", async () => {
      writeFileSync(join(stub, "no-deploy"), "");
      expect((await deploy(credentials)).code).toBe(ExitCode.rollout);
      expect(secrets()).toHaveLength(4);
    });
  });

  it("names the variables that are missing", async () => {
    const { code, err } = await deploy({ ...credentials, REGISTRY_RAW_PASSWORD: "" });
    expect(code).toBe(ExitCode.usage);
    expect(err).toContain("REGISTRY_HTPASSWD, REGISTRY_USERNAME and REGISTRY_RAW_PASSWORD are not all set\n");
    const first = await deploy();
    expect(first.code).toBe(ExitCode.usage);
    expect(first.err).toContain("the secret reg_htpasswd_1 is not in the Swarm yet\n");
    expect(first.err).toContain("set REGISTRY_HTPASSWD, REGISTRY_USERNAME and REGISTRY_RAW_PASSWORD");
    expect(changes()).toEqual([]);
  });

  it("refuses hashes that the registry does not know, by line and name, and shows none of them", async () => {
    const { code, out, err } = await deploy({
      ...credentials,
      REGISTRY_HTPASSWD: `alice:${hash}\nbob:$apr1$Zm9vYmFy$secrethash\n\nno colon here\ncarol:${hash.slice(0, 50)}\nhephaestus-gateway:${hash}\nHEPHAESTUS.Temporary:${hash}`,
    });
    expect({ code, out }).toEqual({ code: ExitCode.credentials, out: "" });
    expect(err.split("\n")).toEqual([
      "deploy: REGISTRY_HTPASSWD was refused:",
      "deploy:   line 2 (user bob): hash is not bcrypt; create it with: htpasswd -nB bob",
      "deploy:   line 4: is not user:hash",
      "deploy:   line 5 (user carol): bcrypt hash has 50 characters instead of 60; was it cut off?",
      "deploy:   line 6 (user hephaestus-gateway): names that begin with hephaestus- or hephaestus. are reserved; choose another name",
      "deploy:   line 7 (user HEPHAESTUS.Temporary): names that begin with hephaestus- or hephaestus. are reserved; choose another name",
    ]);
    expect(changes()).toEqual([]);
  });

  it.each([
    ["a wrong password", { REGISTRY_RAW_PASSWORD: `${password}x` }, "is not the password of bob"],
    ["an unknown user", { REGISTRY_USERNAME: "bo" }, "bo is not in REGISTRY_HTPASSWD"],
    [
      "a line break at the end of the password",
      { REGISTRY_RAW_PASSWORD: `${password}\n` },
      "contains a line break",
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

  it("says what brings bcrypt if nothing has it", async () => {
    rmSync(join(stub, "bin", "perl"), { force: true });
    const { code, err } = await deploy(credentials);
    expect(code).toBe(ExitCode.preflight);
    expect(err).toContain("install perl, on Linux");
    expect(changes()).toEqual([]);
  });

  describe("the lock", () => {
    /** @param ago seconds since the last heartbeat, and after how many the lock is free */
    const hold = (ago: number, seconds: number) =>
      writeFileSync(
        join(stub, "configs", "reg_lock"),
        `id-of-reg_lock\n"${new Date(Date.now() - ago * 1000).toISOString()}"\n${seconds}\ncarol@far pid 7\n`,
      );

    it.each([
      ["sends heartbeats", 20, 75],
      ["sends none, and its time is not over", 300, 420],
    ])("stops a deploy while its holder %s", async (_, ago, seconds) => {
      hold(ago, seconds);
      const { code, err } = await deploy(credentials);
      expect(code).toBe(ExitCode.locked);
      expect(err).toContain("another operation on reg is running: carol@far pid 7\n");
      expect(err).toContain("docker config rm reg_lock");
      expect(secrets()).toEqual([]);
      expect(read("configs/reg_lock")).not.toBe("");
      expect(read("deployed")).toBe("");
    });

    it.each([
      ["sent its last heartbeat long ago", 80, 75],
      ["sends none, and its time is over", 430, 420],
    ])("is taken over when its holder %s", async (_, ago, seconds) => {
      hold(ago, seconds);
      const { code, out, err } = await deploy(credentials);
      expect(code, err).toBe(0);
      expect(out).toContain("lock: removed the expired lock of carol@far");
      expect(existsSync(join(stub, "configs", "reg_lock"))).toBe(false);
    });

    it.each([
      ["+01:00", 20, ExitCode.locked],
      ["-05:30", 80, ExitCode.ok],
    ])("counts the seconds on an engine whose zone is %s", async (zone, ago, exitCode) => {
      hold(ago, 75);
      const [, sign, hours, minutes] = /(.)(..):(..)/.exec(zone) ?? [];
      const offset = Number(`${sign}1`) * (Number(hours) * 60 + Number(minutes)) * 60_000;
      const there = new Date(Date.now() + offset).toISOString();
      writeFileSync(join(stub, "time"), `${there.slice(0, 19)}.123456789${zone}\n`);
      expect((await deploy(credentials)).code).toBe(exitCode);
    });

    it("is not taken from a holder who updates it, whatever the clocks say", async () => {
      hold(80, 75);
      const renew = `#!/bin/sh\n[ "$1" -lt 20 ] || sed -i 2s/20/21/ '${join(stub, "configs", "reg_lock")}'\n`;
      writeFileSync(join(stub, "bin", "sleep"), renew, { mode: 0o755 });
      expect((await deploy(credentials)).code).toBe(ExitCode.locked);
    });

    it("is given back when docker does not say whose the names are now", async () => {
      writeFileSync(join(stub, "meanwhile"), ': > "$STUB/blind"\n');
      const { code, err } = await deploy(credentials);
      expect([code, read("deployed")]).toEqual([ExitCode.preflight, ""]);
      expect(err).toContain("docker service ls failed");
    });

    it("does not keep a service from appearing, which is seen before it would be taken over", async () => {
      const appear = ': > "$STUB/services/reg_gateway"; echo somebody > "$STUB/owner-reg_gateway"\n';
      writeFileSync(join(stub, "meanwhile"), appear);
      const { code, err } = await deploy(credentials);
      expect([code, read("deployed")]).toEqual([ExitCode.preflight, ""]);
      expect(err).toContain("another service has the name reg_gateway");
    });

    it("is given back once when docker refuses a secret half-way", async () => {
      writeFileSync(join(stub, "no-reg_gateway_1"), "");
      const { code, err } = await deploy(credentials);
      expect(code).toBe(ExitCode.preflight);
      expect(err.split("\n")).toEqual([
        "Error response from daemon: no space left",
        "deploy: docker secret create reg_gateway_1 failed (see its message above)",
      ]);
      expect(changes().filter((line) => line.includes("[config] [rm]"))).toHaveLength(1);
      expect(read("deployed")).toBe("");
    });
  });

  describe("what others have under the stack's name", () => {
    const foreign = (name: string, owner = "") => {
      writeFileSync(join(stub, "services", name), "");
      writeFileSync(join(stub, `owner-${name}`), `${owner}\n`);
    };

    it("is named before anything is made", async () => {
      foreign("reg_web");
      foreign("reg_gateway", "other");
      for (const [name, owner] of [
        ["reg_registry", "reg"],
        ["reg_more_registry", "reg_more"],
      ] as const) {
        foreign(name, owner);
        writeFileSync(join(stub, `outside-${name}`), "");
      }
      writeFileSync(join(stub, "stack-configs"), "reg_web_conf \nreg_registry_0123456789ab reg\n");
      writeFileSync(join(stub, "stack-secrets"), "reg_key \n");
      writeFileSync(join(stub, "stack-networks"), "reg_default \nreg_internal reg\n");
      const { code, err } = await deploy(credentials);
      expect(code).toBe(ExitCode.preflight);
      expect(err).toContain(
        "deploy: the stack name reg is in use by something else: service reg_gateway, service reg_web, service reg_registry, config reg_web_conf, network reg_default, secret reg_key\n",
      );
      expect(err).toContain("set another stack name in hephaestus.yaml");
      expect(changes()).toEqual([]);
    });
  });

  it("removes services that the compose file no longer has, and its own configs that no service uses", async () => {
    expect((await deploy(credentials)).code).toBe(0);
    const digest = "0123456789ab";
    for (const name of ["reg_reader", "reg_registry-admin"]) writeFileSync(join(stub, "services", name), "");
    writeFileSync(
      join(stub, "stack-configs"),
      `reg_gateway_21fe189a3f32 reg\nreg_gateway_${digest} reg\nreg_registry-admin_${digest} reg\n`,
    );
    writeFileSync(join(stub, "stack-networks"), "reg_internal reg\n");
    const { code, out, err } = await deploy(credentials);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toContain("stack: removed reg_reader\nstack: removed reg_registry-admin\n");
    expect(read("stack-configs")).toBe("reg_gateway_21fe189a3f32 reg\n");
    expect(readdirSync(join(stub, "services")).sort()).toEqual(["reg_gateway", "reg_registry"]);
  });

  it("does not deploy beside a job that a killed operation left", async () => {
    writeFileSync(join(stub, "services", "reg_job-gc"), "");
    const { code, err } = await deploy(credentials);
    expect(code).toBe(ExitCode.preflight);
    expect(err).toContain("deploy: reg_job-gc is left over from an operation that was killed\n");
    expect(secrets()).toEqual([]);
    expect(read("deployed")).toBe("");
  });

  it("fails with the tasks' errors and last log lines when a service was rolled back", async () => {
    writeFileSync(join(stub, "updates"), "reg_registry rollback_completed\nreg_gateway \n");
    const { code, err } = await deploy(credentials);
    expect(code).toBe(ExitCode.rollout);
    expect(err).toContain('reg_registry.1 on node-1: Failed 3 seconds ago: "task: non-zero exit (1)"');
    // A client cannot steer the terminal.
    expect(err).toContain("  the registry's last words ?[2J????\n");
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
