/** The UI's nginx as a plain process: the start script of the stand-in for its image, with what the product renders. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { parse } from "yaml";
import { COMPOSE_FILE } from "../../src/stack.js";
import type { Endpoint } from "../e2e/attacks/raw.js";
import { RECIPES } from "../support/standins/recipes.js";
import { replace } from "./attacks/mutation.js";
import { freePorts, HOST } from "./plainStack.js";
import { fetchPrograms } from "./programs.js";
import type { Served } from "./served.js";

const STANDINS = fileURLToPath(new URL("../support/standins", import.meta.url));

/** Starts it before a gateway, and waits until it serves. @returns its endpoint, and the folder of its files */
export async function serveLibrary({
  stack,
  url,
}: Pick<Served, "stack" | "url">): Promise<{ endpoint: Endpoint; home: string }> {
  const [port = 0] = await freePorts(1);
  const home = `${stack.folder}/library`;
  const pages = `${home}/html`;
  await mkdir(`${home}/conf.d`, { recursive: true });
  await mkdir(pages);
  const { services } = parse(stack.file(COMPOSE_FILE)) as {
    services: Record<string, { environment: Record<string, string> }>;
  };
  const rendered = Object.entries(services["registry-ui"]?.environment ?? {}).map(([name, value]) => [
    name,
    stack.moved(value, home).replace("http://plain_gateway:5000", url),
  ]);
  const own = RECIPES.ui.config.Env?.map((line) => line.split("=")) ?? [];
  const script = await readFile(`${STANDINS}/ui/docker-entrypoint.d/90-registry-ui.sh`, "utf8");
  await execa(
    "sh",
    [
      "-c",
      script
        .replaceAll("/etc/nginx/", `${home}/`)
        .replaceAll("/usr/share/nginx/html", pages)
        .replaceAll("/usr/share/registry-ui", `${STANDINS}/ui/usr/share/registry-ui`)
        // As root in the container, whoever runs the tests.
        .replace("$(id -u)", "0"),
    ],
    { env: { ...Object.fromEntries([...own, ...rendered]), NGINX_LISTEN_PORT: `${HOST}:${port}` } },
  );
  await writeFile(`${home}/conf.d/00-methods.conf`, stack.file("registry-ui/methods.conf"));
  // Debian's nginx has them in a folder of root.
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((what) => `${what}_temp_path ${home}/tmp/${what};`)
    .join(" ");
  const places = [
    ["user nginx;", ""],
    ["worker_processes auto;", "worker_processes 1;"],
    ["/run/nginx.pid", `${home}/tmp/nginx.pid`],
    ["/var/log/nginx/access.log", `${home}/access.log`],
    ["/var/log/nginx/error.log", `${home}/error.log`],
    ["/etc/nginx/mime.types", `${await fetchPrograms()}/nginx/etc/nginx/mime.types`],
    ["/etc/nginx/conf.d/", `${home}/conf.d/`],
    ["http {", `http { ${temporary}`],
  ] as const;
  const plain = await readFile(`${STANDINS}/nginx/etc/nginx/nginx.conf`, "utf8");
  const config = places.reduce((changed, [what, by]) => replace(changed, what, by), plain);
  const endpoint = { name: "library", to: { host: HOST, port }, authority: `localhost:${port}` };
  await stack.serveNginx(config, home, endpoint);
  return { endpoint, home };
}
