/** Gateways beside the real one, with configs of their own, in its network: one container that runs many nginxes. */
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import type { Image } from "./image.js";
import type { Surroundings } from "./mutation.js";
import { ask, type Door } from "./raw.js";
import type { Site } from "./site.js";
import type { Target } from "./target.js";

const MIRROR_PORT = 5899;
const FIRST_PORT = 5900;

export interface Plan {
  config: string;
  around: Surroundings;
  /** The script of the gateway's rules. */
  script?: string;
}

/** The config of a stand-in: other ports and files than the real gateway's, and what its surroundings ask for. */
function moved({ config, around }: Plan, index: number, stack: string): string {
  const elsewhere =
    around === "mirror" ? `127.0.0.1:${MIRROR_PORT}` : around === "nothing" ? "127.0.0.1:1" : "";
  const upstream = (text: string): string =>
    elsewhere === ""
      ? text
      : text.replace(
          /map "\$route \$uri" \$destination \{[^}]*\}/,
          `map $route $destination { default ${elsewhere}; }`,
        );
  const believing = "http {\n    set_real_ip_from 0.0.0.0/0;\n    real_ip_header X-Forwarded-For;";
  const text = upstream(config)
    .replace("http {", around === "proxy" ? believing : "http {")
    .replace("listen 5000;", `listen 127.0.0.1:${FIRST_PORT + index};`)
    .replace(/(?<=proxy_cache_valid 200.*)45s;/, around === "forgetful" ? "2s;" : "45s;")
    .replace(/(?<=limit_conn answers_of_network )\d+/, (most) => (around === "narrow" ? "6" : most))
    .replace("worker_processes 4;", "worker_processes 1;")
    .replace("/dev/stdout", `/work/logs/${index}.log`)
    .replace("/dev/stderr", `/work/logs/${index}.err`)
    .replaceAll(/(?<=[ :])\/(?:var\/)?tmp\//g, `/tmp/${index}/`)
    .replace("/etc/nginx/access.js", `/work/${index}.js`)
    .replace("/run/secrets/gateway", "/work/secret");
  if (!text.includes(`${stack}_registry:5000`)) throw new Error("The config is not this stack's.");
  return text;
}

/**
 * Starts a gateway for each plan, and waits until it serves.
 *
 * @returns the sites in the order of the plans
 */
export async function startGateways(target: Target, plans: readonly Plan[], image: Image): Promise<Site[]> {
  const { workspace } = target;
  const folder = `${workspace.folder}/stand-ins`;
  const gateway = await target.container("gateway");
  const secret = await target.docker("exec", gateway.id, "cat", "/run/secrets/gateway");
  await mkdir(`${folder}/logs`, { recursive: true });
  await chmod(`${folder}/logs`, 0o777);
  await writeFile(`${folder}/secret`, secret);
  await Promise.all(
    plans.map(async (plan, index) => {
      await writeFile(`${folder}/${index}.conf`, moved(plan, index, workspace.stack));
      if (plan.script !== undefined) await writeFile(`${folder}/${index}.js`, plan.script);
    }),
  );
  const script = `i=0; while [ $i -lt ${plans.length} ]; do mkdir /tmp/$i && nginx -c /work/$i.conf; i=$((i+1)); done; exec sleep 900`;
  const nginx = (await target.docker("inspect", "--format", "{{.Config.Image}}", gateway.id)).trim();
  await target.run(
    ...["--network", `container:${gateway.id}`, "--user", "65532:65532", "--read-only", "--cap-drop", "ALL"],
    ...[
      "--tmpfs",
      "/tmp:mode=1777",
      "--volume",
      `${folder}:/work`,
      "--entrypoint",
      "sh",
      nginx,
      "-c",
      script,
    ],
  );
  const authority = workspace.registry;
  const places = plans.map((_, index) => ({
    name: `stand-in ${index}`,
    host: "127.0.0.1",
    port: FIRST_PORT + index,
    authority,
  }));
  const doors = await target.doorsFrom("gateway", places, MIRROR_PORT);
  return Promise.all(
    doors.map(async (door, index) => {
      await untilUp(door, () => readFile(`${folder}/logs/${index}.err`, "utf8").catch(() => "no log"));
      return {
        door,
        image,
        storage: target.storage,
        machineAuthorization: /"(.*)"/.exec(secret)?.[1] ?? "",
        log: () => readFile(`${folder}/logs/${index}.log`, "utf8"),
      };
    }),
  );
}

/**
 * Starts the UI's image once more beside the real one, in its network and with its environment.
 *
 * @param methods the text of `00-methods.conf`; undefined where there shall be none
 */
export async function startUi(target: Target, port: number, methods: string | undefined): Promise<Door> {
  const ui = await target.container("registry-ui");
  const folder = `${target.workspace.folder}/ui-${port}`;
  await mkdir(folder);
  if (methods !== undefined) await writeFile(`${folder}/methods.conf`, methods);
  const [container] = JSON.parse(await target.docker("inspect", ui.id)) as [
    { Config: { Env: string[]; Image: string } },
  ];
  const environment = container.Config.Env.filter((line) => !line.startsWith("NGINX_LISTEN_PORT="));
  await target.run(
    ...["--network", `container:${ui.id}`],
    ...(methods === undefined
      ? []
      : ["--volume", `${folder}/methods.conf:/etc/nginx/conf.d/00-methods.conf:ro`]),
    ...[...environment, `NGINX_LISTEN_PORT=${port}`].flatMap((line) => ["--env", line]),
    container.Config.Image,
  );
  const [door] = await target.doorsFrom("registry-ui", [{ name: `UI ${port}`, host: "127.0.0.1", port }]);
  if (door === undefined) throw new Error("doorsFrom() lost a door.");
  await untilUp(door, async () => "");
  return door;
}

/** A mutation that does not even start would count as noticed. */
async function untilUp(door: Door, log: () => Promise<string>): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    const { status } = await ask(door, "GET", "/healthz");
    if (status === 200 || status === 404) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${door.name} does not come up: ${await log()}`);
}
