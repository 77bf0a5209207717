/** The UI beside the real one, without a part of what keeps it from writing. */
import { mkdir, writeFile } from "node:fs/promises";
import { expect } from "vitest";
import { ask, type Endpoint } from "./raw.js";
import type { Target } from "./target.js";

/**
 * Starts the UI's image once more beside the real one, in its network and with its environment.
 *
 * @param methods the text of `00-methods.conf`; undefined where there shall be none
 */
export async function startUi(target: Target, port: number, methods: string | undefined): Promise<Endpoint> {
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
  const [endpoint] = await target.endpointsFrom("registry-ui", [
    { name: `UI ${port}`, host: "127.0.0.1", port },
  ]);
  if (endpoint === undefined) throw new Error("endpointsFrom() lost an endpoint.");
  await untilUp(endpoint);
  return endpoint;
}

/** What does not even start would write nothing. */
const untilUp = (endpoint: Endpoint): Promise<unknown> =>
  expect
    .poll(async () => (await ask(endpoint, "GET", "/healthz")).status, { timeout: 40_000, interval: 100 })
    .toSatisfy((status) => status === 200 || status === 404);
