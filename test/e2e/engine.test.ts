import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import bcrypt from "bcryptjs";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { useSwarm } from "./swarm.js";

const { images } = useSwarm();
const password = "correct horse battery staple";
const basic = `Basic ${Buffer.from(`machine:${password}`).toString("base64")}`;
const [REGISTRY, GATEWAY, UI] = [5000, 8080, 8081];

const stack = `
version: "3.8"
x-service: &service
  read_only: true
  cap_drop: [ALL]
  networks: [library]
  # The short key \`tmpfs:\` is ignored by \`docker stack deploy\` without a word.
  volumes: [{ type: tmpfs, target: /tmp, tmpfs: { size: 67108864 } }]
x-deploy: &deploy
  endpoint_mode: dnsrr
services:
  registry:
    <<: *service
    image: ${images.registry}
    user: "10001:10001"
    ports: [{ target: 5000, published: ${REGISTRY}, mode: host }]
    configs: [{ source: registry, target: /etc/docker/registry/config.yml }]
    secrets: [{ source: htpasswd, target: htpasswd, uid: "10001", gid: "10001", mode: 0400 }]
    deploy: *deploy
  gateway:
    <<: *service
    image: ${images.nginx}
    user: "10001:10001"
    ports: [{ target: 8080, published: ${GATEWAY}, mode: host }]
    configs: [{ source: gateway, target: /etc/nginx/nginx.conf }]
    deploy: *deploy
  ui:
    <<: *service
    image: ${images.ui}
    read_only: false
    cap_add: [CHOWN, DAC_OVERRIDE, FOWNER, SETGID, SETUID, NET_BIND_SERVICE]
    environment:
      NGINX_PROXY_PASS_URL: http://registry:5000
      NGINX_RESOLVER: 127.0.0.11
      REGISTRY_TITLE: The <test> "library" & more
    ports: [{ target: 80, published: ${UI}, mode: host }]
    secrets: [{ source: ui, target: /etc/nginx/.env, uid: "0", gid: "0", mode: 0400 }]
    deploy: *deploy
networks:
  library: { driver: overlay }
configs:
  registry: { file: ./registry.yml }
  gateway: { file: ./nginx.conf }
secrets:
  htpasswd: { file: ./htpasswd }
  ui: { file: ./ui.env }
`;

const files = {
  "stack.yml": stack,
  htpasswd: `machine:${bcrypt.hashSync(password, 4)}\n`,
  "ui.env": `NGINX_PROXY_HEADER_Authorization=${basic}\n`,
  "registry.yml": `
version: 0.1
storage: { filesystem: { rootdirectory: /tmp/registry } }
http: { addr: ":5000", secret: of-the-test }
auth: { htpasswd: { realm: library, path: /run/secrets/htpasswd } }
`,
  "nginx.conf": `
pid /tmp/nginx.pid;
events {}
http {
  ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path /tmp/${name};`).join(" ")}
  access_log /dev/stdout;
  server {
    listen 8080;
    client_max_body_size 0;
    resolver 127.0.0.11 valid=1s;
    set $registry http://registry:5000;
    location /v2/ { proxy_pass $registry; proxy_set_header Host $http_host; }
  }
}
`,
};

const url = (port: number | undefined, path: string): string => `http://127.0.0.1:${port}${path}`;

async function status(port: number | undefined, headers: Record<string, string> = {}): Promise<number> {
  return fetch(url(port, "/v2/"), { headers, signal: AbortSignal.timeout(2000) }).then(
    (answer) => answer.status,
    () => 0,
  );
}

describe("the Swarm of the tests", () => {
  let dir = "";

  beforeAll(async () => {
    dir = await mkdtemp(`${tmpdir()}/stack-`);
    for (const [name, text] of Object.entries(files)) await writeFile(`${dir}/${name}`, text);
    await execa("docker", ["stack", "deploy", "--resolve-image", "never", "-c", `${dir}/stack.yml`, "smoke"]);
    const end = Date.now() + 60_000;
    while (Date.now() < end) {
      if ((await status(REGISTRY)) === 401 && (await status(GATEWAY)) === 401 && (await status(UI)) === 200)
        return;
      await sleep(200);
    }
    const { stdout } = await execa("docker", ["stack", "ps", "--no-trunc", "smoke"]);
    throw new Error(`The stack did not come up:\n${stdout}`);
  });

  afterAll(async () => {
    await execa("docker", ["stack", "rm", "smoke"]);
    await rm(dir, { recursive: true, force: true });
  });

  it("runs a registry as its own user that reads a secret, behind a port of the host", async () => {
    expect(await status(REGISTRY, { Authorization: basic })).toBe(200);
    expect(await status(REGISTRY, { Authorization: "Basic bm9ib2R5OndyaXRlcw==" })).toBe(401);
  });

  it("lets nginx reach the registry by its service's name", async () => {
    expect(await status(GATEWAY, { Authorization: basic })).toBe(200);
  });

  it("takes a push through nginx and lists it through the UI's own credential", async () => {
    const target = `127.0.0.1:${GATEWAY}/team/hello:1`;
    await execa("docker", ["tag", images.hello, target]);
    await execa(
      "docker",
      ["--config", dir, "login", "-u", "machine", "--password-stdin", `127.0.0.1:${GATEWAY}`],
      {
        input: password,
      },
    );
    await execa("docker", ["--config", dir, "push", target]);
    const catalog = await fetch(url(UI, "/v2/_catalog"));
    expect(await catalog.json()).toEqual({ repositories: ["team/hello"] });
  });

  it("serves the UI's page with the title escaped", async () => {
    const page = await (await fetch(url(UI, "/"))).text();
    expect(page).toContain('content="The &lt;test> &quot;library&quot; &amp; more"');
  });
});
