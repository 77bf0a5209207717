import { readFile, writeFile } from "node:fs/promises";
import bcrypt from "bcryptjs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { basicValue } from "../support/basic.js";
import { CHECKOUT } from "../support/checkout.js";
import { MEDIA } from "./clients/images.js";
import { type Population, populate } from "./population.js";
import { BCRYPT_COST, CREDENTIALS, DEPLOY, PASSWORD, USER } from "./stack.js";
import { useSwarm } from "./swarm.js";
import { CLI, expectOk, Workspace } from "./workspace.js";

/** A registry and its UI of a hand-written stack, with users in a secret and images in a folder, become a stack of hephaestus. */

const swarm = useSwarm();
const OTHER = { user: "ann", password: "Tongs-and-coal-5" };
/** As the stack of hephaestus is called by default, too. */
const OLD = "hephaestus";
let forge: Workspace;
let population: Population;

/** The old stack. */
const oldStack = () => ({
  version: "3.8",
  services: {
    registry: {
      image: swarm.images.registry,
      user: "10001:10001",
      environment: {
        REGISTRY_AUTH: "htpasswd",
        REGISTRY_AUTH_HTPASSWD_REALM: "Registry",
        REGISTRY_AUTH_HTPASSWD_PATH: "/run/secrets/registry_htpasswd",
        REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY: "/var/lib/registry",
        REGISTRY_STORAGE_DELETE_ENABLED: "true",
      },
      volumes: [`${forge.folder}/data:/var/lib/registry`],
      secrets: ["registry_htpasswd"],
      ports: [{ target: 5000, published: 5000, mode: "host" }],
    },
  },
  secrets: { registry_htpasswd: { external: true } },
});

beforeAll(async () => {
  forge = await Workspace.create("hephaestus-registry", 5000, 8080);
  expectOk(await forge.run("install", ["-d", "-o", "10001", "-g", "10001", "data"]));
  const line = `${OTHER.user}:${bcrypt.hashSync(OTHER.password, BCRYPT_COST)}\n`;
  const input = CREDENTIALS.REGISTRY_HTPASSWD + line;
  expectOk(await forge.run("docker", ["secret", "create", "registry_htpasswd", "-"], { input }));
  await writeFile(`${forge.folder}/old.yml`, stringify(oldStack()));
  const deploy = ["stack", "deploy", "--resolve-image", "never", "--compose-file", "old.yml", OLD];
  expectOk(await forge.docker(...deploy));
});

afterAll(async () => {
  await forge.docker("stack", "rm", OLD);
  await forge.destroy();
  await forge.docker("secret", "rm", "registry_htpasswd");
});

const answers = async () =>
  (
    await fetch(`${forge.registryUrl}/v2/`, { headers: { authorization: basicValue(USER, PASSWORD) } }).catch(
      () => undefined,
    )
  )?.status;

test("adopt writes what keeps it, and the steps of its page bring every image and every user over", async () => {
  await expect.poll(answers).toBe(200);
  population = await populate(forge.registryUrl, { repositories: 2, tagsPerRepository: 2, sharedLayers: 2 });

  const looked = await forge.hephaestus(["adopt", "--dry-run", "--json"]);
  expectOk(looked);
  expect(looked.all).not.toContain(CREDENTIALS.REGISTRY_HTPASSWD.split(":")[1]?.trim());
  const adopted = await forge.hephaestus(["adopt"]);
  expectOk(adopted);
  expect(adopted.all).toContain(
    "from the secret registry_htpasswd: /run/secrets/registry_htpasswd in its task",
  );
  const text = await readFile(`${forge.folder}/hephaestus.yaml`, "utf8");
  const config = parse(text);
  expect(config).toMatchObject({
    stack: "hephaestus-registry",
    expose: "ports",
    ports: { registry: 5000 },
    registry: {
      image: swarm.images.registry,
      pull: "authenticated",
      delete: true,
      user: "10001:10001",
      storage: { driver: "filesystem", path: `${forge.folder}/data` },
    },
  });
  // What a person of this machine has to add: there are no images to pull.
  const swarmSettings = { ...config.swarm, probe: "1s", monitor: "1s", endpointMode: "dnsrr" };
  const own = { ...config, swarm: swarmSettings, gateway: { image: swarm.images.nginx } };
  await writeFile(`${forge.folder}/hephaestus.yaml`, stringify(own));

  // The lines of the page, with what this user knows.
  const page = await readFile(`${CHECKOUT}docs/adopt.md`, "utf8");
  const lines = [...page.matchAll(/^\$ ((?:REGISTRY_|export|docker stack rm)[^\n]*?)(?: +#.*)?$/gm)].map(
    ([, line]) => line,
  );
  expect(lines).toHaveLength(3);
  const script = lines.join("\n").replace("admin", USER).replace("…", PASSWORD);
  const program = ["render", DEPLOY.join(" ")].map((args) => `"$NODE" "$CLI" ${args}`).join("\n");
  const gone = `while docker ps --quiet --filter name=${OLD}_registry. | grep -q .; do sleep 0.2; done`;
  const began = Date.now();
  const run = await forge.run("bash", ["-ec", `${script}\n${gone}\n${program}`], {
    env: { NODE: process.execPath, CLI },
  });
  console.log(
    `from the end of the old registry to a deploy that is over: ${Math.round((Date.now() - began) / 1000)} s`,
  );
  expectOk(run);

  for (const { user, password } of [{ user: USER, password: PASSWORD }, OTHER]) {
    const authorization = basicValue(user, password);
    for (const [name, digest] of population.manifests) {
      const [repository, tag] = name.split(":");
      const answer = await fetch(`${forge.registryUrl}/v2/${repository}/manifests/${tag}`, {
        headers: { authorization, accept: `${MEDIA.manifest}, ${MEDIA.index}` },
      });
      expect([answer.status, answer.headers.get("docker-content-digest")]).toEqual([200, digest]);
    }
  }
  expect((await fetch(`${forge.registryUrl}/v2/team/app-0/manifests/v0`)).status).toBe(401);
});
