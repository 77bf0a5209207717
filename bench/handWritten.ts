import { mkdir, writeFile } from "node:fs/promises";
import bcrypt from "bcryptjs";
import { execa } from "execa";
import { stringify } from "yaml";
import type { STANDINS } from "../test/support/standins/recipes.js";

const STACK = "hand";
const PORT = 5300;

/** The stack that guides describe, and its rotation as a person does it: new names, an edited stack, a redeploy. */
export class HandWritten {
  readonly url = `http://localhost:${PORT}`;
  private version = 0;

  constructor(
    private readonly folder: string,
    private readonly images: typeof STANDINS,
    private readonly user: string,
  ) {}

  async deploy(password: string): Promise<void> {
    await mkdir(`${this.folder}/data`, { recursive: true });
    await writeFile(`${this.folder}/registry.yml`, CONFIG);
    await this.rotate(password);
  }

  /** New secrets, the compose file edited, deployed, waited for, and the old secrets removed. */
  async rotate(password: string): Promise<void> {
    const old = this.version++;
    const hash = bcrypt.hashSync(password, 12);
    await this.secret(`htpasswd_${this.version}`, `${this.user}:${hash}\n`);
    const basic = Buffer.from(`${this.user}:${password}`).toString("base64");
    await this.secret(
      `proxy_${this.version}`,
      `server { listen 5000; client_max_body_size 0; resolver 127.0.0.11 valid=1s; set $up ${STACK}_registry:5000;
       set $auth $http_authorization; if ($auth = "") { set $auth "Basic ${basic}"; }
       location / { proxy_pass http://$up; proxy_set_header Authorization $auth; } }\n`,
    );
    await writeFile(`${this.folder}/stack.yml`, stringify(this.compose()));
    await this.docker("stack", "deploy", "--resolve-image", "never", "-c", "stack.yml", STACK);
    await this.settled();
    if (old === 0) return;
    for (const name of ["htpasswd", "proxy"]) await this.docker("secret", "rm", `${STACK}_${name}_${old}`);
  }

  async remove(): Promise<void> {
    await this.docker("stack", "rm", STACK).catch(() => undefined);
    for (const name of ["htpasswd", "proxy"]) {
      const secret = `${STACK}_${name}_${this.version}`;
      await execa("docker", ["secret", "rm", secret], { reject: false });
    }
  }

  /** `docker stack services` until all run, as a person looks. */
  private async settled(): Promise<void> {
    for (let calm = 0; calm < 2; ) {
      await new Promise((resolve) => setTimeout(resolve, 1000));
      const format = "{{.Spec.Name}} {{if .UpdateStatus}}{{.UpdateStatus.State}}{{end}}";
      const names = [`${STACK}_registry`, `${STACK}_proxy`];
      const states = await this.docker("service", "inspect", "--format", format, ...names);
      const services = await this.docker("stack", "services", "--format", "{{.Replicas}}", STACK);
      const all = !/updating/.test(states) && services.split("\n").every((line) => line.startsWith("1/1"));
      calm = all ? calm + 1 : 0;
    }
  }

  private compose(): object {
    const service = (image: string, more: object) => ({
      image,
      networks: ["own"],
      deploy: { endpoint_mode: "dnsrr" },
      ...more,
    });
    const secret = (name: string) => ({
      [name]: { external: true, name: `${STACK}_${name}_${this.version}` },
    });
    return {
      version: "3.8",
      services: {
        registry: service(this.images.registry, {
          volumes: [{ type: "bind", source: `${this.folder}/data`, target: "/var/lib/registry" }],
          configs: [{ source: "registry", target: "/etc/docker/registry/config.yml" }],
          secrets: ["htpasswd"],
        }),
        proxy: service(this.images.nginx, {
          ports: [{ target: 5000, published: PORT, protocol: "tcp", mode: "host" }],
          secrets: [{ source: "proxy", target: "/etc/nginx/conf.d/default.conf" }],
        }),
      },
      networks: { own: { driver: "overlay" } },
      configs: { registry: { file: "./registry.yml" } },
      secrets: { ...secret("htpasswd"), ...secret("proxy") },
    };
  }

  private async secret(name: string, content: string): Promise<void> {
    await execa("docker", ["secret", "create", `${STACK}_${name}`, "-"], { input: content });
  }

  private async docker(...args: string[]): Promise<string> {
    return (await execa("docker", args, { cwd: this.folder })).stdout;
  }
}

const CONFIG = `version: 0.1
log: { level: info, accesslog: { disabled: true } }
storage: { filesystem: { rootdirectory: /var/lib/registry } }
auth: { htpasswd: { realm: r, path: /run/secrets/htpasswd } }
http: { addr: ":5000" }
`;
