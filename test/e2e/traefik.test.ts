import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { afterAll, beforeAll, expect, test } from "vitest";
import { basicValue } from "../support/basic.js";
import { selfSigned } from "../support/selfSigned.js";
import { addressOfContainer } from "./addresses.js";
import { MEDIA } from "./clients/images.js";
import { entrypoint, listen, router, traefikApi } from "./doctor/fakes.js";
import { Pusher } from "./population.js";
import { CREDENTIALS, DEPLOY, namesOf, PASSWORD, USER, WITH_READER, writeConfig } from "./stack.js";
import { useSwarm } from "./swarm.js";
import { expectOk, Workspace } from "./workspace.js";

/** There is no Traefik here, but its network is, and the requests that it would pass on are made in its place. */
const swarm = useSwarm();
let forge: Workspace;

const HOSTS = ["registry", "registry-ui", "registry-admin"].map((name) => `${name}.forge.example`);

/** What Traefik would tell of the stack. */
const traefik = createServer(
  traefikApi({
    routers: HOSTS.map((host) => router(`behind-${host.replace(/\..*/, "")}@swarm`, host)),
    middlewares: ["authelia@swarm", "behind-before-auth@swarm"].map(
      (name) => ({ name, status: "enabled", type: "any" }) as { name: string },
    ),
    entrypoints: [entrypoint("websecure", "900000000000ns")],
  }),
);

let api: string;

async function deploy(gateway: Record<string, unknown>): Promise<void> {
  await writeConfig(forge, swarm, {
    root: { expose: "traefik", domain: "forge.example", traefik: { certResolver: "letsencrypt", api } },
    registry: { image: swarm.images.registry3, delete: true },
    gateway,
    ui: { access: "sso", admin: { enabled: true } },
  });
  await forge.hephaestus(["render"]);
  expectOk(await forge.hephaestus([...DEPLOY, "--no-verify"], { env: CREDENTIALS }));
}

beforeAll(async () => {
  forge = await Workspace.create("behind", 5000, 8080);
  ({ url: api } = await listen(traefik));
  await forge.docker("network", "create", "--driver", "overlay", "--attachable", "aether-net");
  await deploy(WITH_READER);
});

afterAll(async () => {
  traefik.close();
  await forge.destroy(["aether-net"]);
});

interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** A request as it reaches a service from Traefik, made inside the network of its container. */
async function containerOf(service: string): Promise<string> {
  const filter = `label=com.docker.swarm.service.name=behind_${service}`;
  return (await forge.docker("ps", "--quiet", "--no-trunc", "--filter", filter)).stdout.trim();
}

async function ask(
  service: string,
  port: number,
  method: string,
  path: string,
  headers: Record<string, string> = {},
) {
  const id = await containerOf(service);
  const pid = (await forge.docker("inspect", "--format", "{{.State.Pid}}", id)).stdout.trim();
  const script = `const [url, init] = JSON.parse(process.argv[1]);
    fetch(url, init).then(async (r) => console.log(JSON.stringify({
      status: r.status, headers: Object.fromEntries(r.headers), body: await r.text() })))`;
  const argument = JSON.stringify([
    `http://127.0.0.1:${port}${path}`,
    { method, headers, redirect: "manual" },
  ]);
  const run = await forge.run("nsenter", ["-t", pid, "-n", process.execPath, "-e", script, argument]);
  expectOk(run);
  return JSON.parse(run.stdout) as Answer;
}

const basic = { authorization: basicValue(USER, PASSWORD) };

test("the stack runs on Traefik's network, with the labels that were rendered", async () => {
  const { stdout } = await forge.docker(
    "service",
    "inspect",
    "--format",
    "{{json .Spec.Labels}}",
    "behind_registry-admin",
  );
  const labels = JSON.parse(stdout) as Record<string, string>;
  expect(labels).toMatchObject({
    "traefik.swarm.network": "aether-net",
    "traefik.http.routers.behind-registry-admin.middlewares": "behind-before-auth@swarm,authelia@swarm",
    "traefik.http.routers.behind-registry-admin.tls.certresolver": "letsencrypt",
  });
  expect(labels["traefik.http.routers.behind-registry-admin.rule"]).toContain("Method(`DELETE`)");
});

test("the challenge and upload addresses name the public https host, whatever the request says", async () => {
  const forged = {
    "x-forwarded-host": "evil.example",
    "x-forwarded-proto": "http",
    forwarded: "host=evil.example",
  };
  const challenge = await ask("gateway", 5000, "GET", "/v2/", forged);
  expect(challenge.headers["www-authenticate"]).toBe(
    'Bearer realm="https://registry.forge.example/auth/token",service="registry.forge.example"',
  );
  const upload = await ask("gateway", 5000, "POST", "/v2/a/blobs/uploads/", { ...forged, ...basic });
  expect(upload.status).toBe(202);
  expect(upload.headers.location).toMatch(/^https:\/\/registry\.forge\.example\/v2\/a\/blobs\/uploads\//);
});

test("the admin UI's nginx passes DELETE and no other writing method; the library's passes none", async () => {
  const manifest = "/v2/a/manifests/sha256:0000000000000000000000000000000000000000000000000000000000000000";
  // 404 is the registry's own answer: the request got there, with the injected credential.
  expect((await ask("registry-admin", 80, "DELETE", manifest)).status).toBe(404);
  for (const method of ["PUT", "POST", "PATCH"]) {
    expect((await ask("registry-admin", 80, method, manifest)).status, method).toBe(401);
  }
  for (const method of ["PUT", "POST", "PATCH", "DELETE"]) {
    expect((await ask("registry-ui", 80, method, manifest)).status, method).toBe(401);
  }
  expect((await ask("registry-admin", 80, "GET", "/v2/_catalog")).status).toBe(200);
});

test("the log names who deletes through the admin UI, by the name that Authelia gives, and believes nobody else", async () => {
  const manifest = `/v2/named/manifests/sha256:${"0".repeat(64)}`;
  for (const name of ["ann", "HEPHAESTUS.temporary", "a b"])
    await ask("registry-admin", 80, "DELETE", manifest, { "remote-user": name });
  await ask("gateway", 5000, "DELETE", manifest, { ...basic, "remote-user": "ann" });
  const named = async () => {
    const audit = await forge.hephaestus(["audit", "--json", "--since", "1h", "--repository", "named"]);
    const { events } = JSON.parse(audit.stdout) as { events: { user: string; via: string | null }[] };
    return events.map(({ user, via }) => [user, via]);
  };
  const own = expect.stringMatching(/^hephaestus-ui/);
  await expect.poll(named).toEqual([
    ["ann", own],
    [own, null],
    [own, null],
    [USER, null],
  ]);
});

/** What a host of the network answers to a program in a container. nginx drops the request of a client that closes its side. */
const getFrom = (container: string, host: string, path: string) =>
  forge.docker(
    ...["exec", container, "sh", "-c"],
    `(printf 'GET ${path} HTTP/1.1\\r\\nHost: ${host}:5000\\r\\nConnection: close\\r\\n\\r\\n'; sleep 2) | nc -w 5 ${host} 5000`,
  );

test("the admin UI's credential, stolen, deletes and never pushes, and its container reaches the gateway alone", async () => {
  const id = await containerOf("registry-admin");
  const { stdout } = await forge.docker("exec", id, "cat", "/etc/nginx/.env");
  const authorization = /Authorization=(Basic \S+)/.exec(stdout)?.[1] ?? "";
  expect(authorization).not.toBe("");
  const digest = `sha256:${"0".repeat(64)}`;
  for (const [method, path, status] of [
    ["GET", "/v2/_catalog", 200],
    ["DELETE", `/v2/a/manifests/${digest}`, 404],
    ["POST", "/v2/a/blobs/uploads/", 403],
    ["POST", `/v2/a/blobs/uploads/?mount=${digest}&from=b`, 403],
    ["PUT", "/v2/a/manifests/latest", 403],
  ] as const) {
    const answer = await ask("gateway", 5000, method, path, { authorization });
    expect(answer.status, `${method} ${path}: ${answer.body}`).toBe(status);
  }
  const catalog = await getFrom(id, "registry", "/v2/_catalog");
  expect(catalog.stdout, catalog.all).toContain("repositories");
  expect((await getFrom(id, "behind_registry", "/")).all).toMatch(/bad address|nc: /);
});

test("on Traefik's network registry:5000 is the gateway, which names itself there", async () => {
  const id = await containerOf("registry-admin");
  const { stdout } = await getFrom(id, "registry", "/v2/");
  expect(stdout).toContain('Bearer realm="http://registry:5000/auth/token",service="registry:5000"');
});

test("an address that no network of Traefik vouches for is not believed when wrong passwords are counted", async () => {
  const wrong = (client: string) =>
    ask("gateway", 5000, "GET", "/auth/token", {
      authorization: basicValue("nobody", String(Math.random())),
      "x-forwarded-for": client,
    });
  // The container asks itself here, from an address that is no network of Traefik's: it is not believed.
  const statuses: number[] = [];
  // A slow machine guesses slowly, and the limit grows back: it is reached, sooner or later.
  while (statuses.length < 60 && statuses.at(-1) !== 429) {
    statuses.push((await wrong(`203.0.113.${statuses.length}`)).status);
  }
  expect(statuses.slice(0, 5)).toEqual([401, 401, 401, 401, 401]);
  expect(statuses.at(-1)).toBe(429);
});

/** Ends TLS and asks Authelia in Traefik's place: the registry's requests go to the gateway, the UIs ask for a login. */
async function frontDoor(isOpen: () => boolean): Promise<{ authority: string; close(): void }> {
  const day = 86_400_000;
  const [from, until] = [new Date(Date.now() - day), new Date(Date.now() + 60 * day)];
  const certificate = selfSigned(HOSTS, from, until);
  const server = createHttpsServer(certificate, async ({ method = "GET", url = "/", headers }, response) => {
    if (headers.host === HOSTS[0]) {
      const { status, headers: told, body } = await ask("gateway", 5000, method, url);
      return response.writeHead(status, { "www-authenticate": told["www-authenticate"] ?? "" }).end(body);
    }
    if (!["GET", "HEAD", "OPTIONS"].includes(method)) return response.writeHead(404).end();
    return response.writeHead(isOpen() ? 200 : 302, { location: "https://auth.forge.example/" }).end();
  });
  await listen(server, 443);
  const authority = `${forge.folder}/authority.pem`;
  await writeFile(authority, certificate.cert);
  return { authority, close: () => server.close() };
}

test("doctor finds nothing behind a sound Traefik, and UIs that ask nobody for a login", async () => {
  let open = false;
  const { authority, close } = await frontDoor(() => open);
  const names = `${forge.folder}/hosts`;
  await writeFile(names, HOSTS.map((host) => `127.0.0.1 ${host}\n`).join(""));
  // Only here: the tests have mounts of their own.
  expectOk(await forge.run("mount", ["--bind", names, "/etc/hosts"]));
  try {
    const doctor = async () => {
      const run = await forge.hephaestus(["doctor", "--json"], { env: { NODE_EXTRA_CA_CERTS: authority } });
      return JSON.parse(run.stdout) as { findings: Array<{ code: string }>; skipped: string[] };
    };
    expect(await doctor()).toMatchObject({ findings: [], skipped: [] });
    open = true;
    expect((await doctor()).findings.map(({ code }) => code)).toEqual(["library-open", "admin-open"]);
  } finally {
    close();
    await forge.run("umount", ["/etc/hosts"]);
  }
});

test("a stack that had a reader, as every one once did, reads its files without it from then on, and no pull fails", async () => {
  const gateway = await addressOfContainer(forge, await containerOf("gateway"));
  await new Pusher(`http://${gateway}:5000`).image("tools/app", [], "1");
  // A task that is replaced takes no connection any more. Traefik, too, tries another one then.
  const pull = `wget -q -O /dev/null --header 'Accept: ${MEDIA.manifest}' http://registry:5000/v2/tools/app/manifests/1`;
  const loop = `while :; do ${pull} 2>&1 && echo pulled; sleep 0.1; done`;
  const client = ["--name", "puller", "--network", "aether-net", "--entrypoint", "sh", swarm.images.nginx];
  expectOk(await forge.docker("run", "--detach", ...client, "-c", loop));
  try {
    const said = async () => (await forge.docker("logs", "puller")).all.split("\n");
    const pulled = async () => (await said()).filter((line) => line === "pulled").length;
    await expect.poll(pulled).toBeGreaterThan(10);
    expect(await namesOf(forge, "service")).toContain("behind_reader");
    await deploy({});
    expect(await namesOf(forge, "service")).not.toContain("behind_reader");
    const before = await pulled();
    await expect.poll(pulled).toBeGreaterThan(before + 10);
    expect((await said()).filter((line) => line.includes("server returned error"))).toEqual([]);
  } finally {
    await forge.docker("rm", "--force", "puller");
  }
});
