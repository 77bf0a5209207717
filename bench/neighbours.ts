import { mkdir, writeFile } from "node:fs/promises";
import bcrypt from "bcryptjs";
import { execa } from "execa";
import { stringify } from "yaml";
import type { Swarm } from "../test/e2e/swarm.js";

/** What the gateway is measured against, in the same Swarm: a registry alone, and the stack that guides describe. */

export const ALONE = "http://localhost:5100";
export const GUIDE = "http://localhost:5200";
const STACK = "neighbours";

const registryConfig = (auth: string) => `version: 0.1
log: { level: info, accesslog: { disabled: true } }
storage: { filesystem: { rootdirectory: /var/lib/registry }, cache: { blobdescriptor: inmemory } }
${auth}http: { addr: ":5000" }
`;

/** Starts both and waits until they answer. */
export async function startNeighbours(
  folder: string,
  { images }: Swarm,
  user: string,
  password: string,
): Promise<void> {
  for (const name of ["alone", "guide"]) await mkdir(`${folder}/${name}`, { recursive: true, mode: 0o777 });
  const authorization = Buffer.from(`${user}:${password}`).toString("base64");
  await writeFile(`${folder}/alone.yml`, registryConfig(""));
  await writeFile(
    `${folder}/guide.yml`,
    registryConfig("auth: { htpasswd: { realm: r, path: /htpasswd } }\n"),
  );
  await writeFile(`${folder}/htpasswd`, `${user}:${bcrypt.hashSync(password, 12)}\n`);
  await writeFile(
    `${folder}/guide.conf`,
    `server { listen 5000; client_max_body_size 0; location / { proxy_pass http://${STACK}_guide-registry:5000;
     proxy_set_header Authorization "Basic ${authorization}"; } }
`,
  );
  const port = (published: number) => [{ target: 5000, published, protocol: "tcp", mode: "host" }];
  const service = (image: string, more: object) => ({
    image,
    networks: ["own"],
    deploy: { endpoint_mode: "dnsrr", resources: { limits: { cpus: "2", memory: "1G" } } },
    ...more,
  });
  const storage = (name: string) => [
    { type: "bind", source: `${folder}/${name}`, target: "/var/lib/registry" },
  ];
  const config = "/etc/docker/registry/config.yml";
  const compose = {
    version: "3.8",
    services: {
      alone: service(images.registry, {
        ports: port(5100),
        volumes: storage("alone"),
        configs: [{ source: "alone", target: config }],
      }),
      "guide-registry": service(images.registry, {
        volumes: storage("guide"),
        configs: [
          { source: "guide", target: config },
          { source: "htpasswd", target: "/htpasswd" },
        ],
      }),
      "guide-proxy": service(images.nginx, {
        ports: port(5200),
        configs: [{ source: "proxy", target: "/etc/nginx/conf.d/default.conf" }],
      }),
    },
    networks: { own: { driver: "overlay" } },
    configs: {
      alone: { file: "./alone.yml" },
      guide: { file: "./guide.yml" },
      htpasswd: { file: "./htpasswd" },
      proxy: { file: "./guide.conf" },
    },
  };
  await writeFile(`${folder}/neighbours.yml`, stringify(compose));
  await execa("docker", ["stack", "deploy", "--resolve-image", "never", "-c", "neighbours.yml", STACK], {
    cwd: folder,
  });
  for (const url of [ALONE, GUIDE]) {
    for (let tries = 0; ; tries++) {
      const answered = await fetch(`${url}/v2/`).catch(() => undefined);
      if (answered?.status === 200) break;
      if (tries > 120) throw new Error(`${url} does not answer`);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

export const stopNeighbours = () => execa("docker", ["stack", "rm", STACK], { reject: false });
