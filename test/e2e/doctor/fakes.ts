import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** A server on loopback, on a port of its own unless one is given. */
export async function listen(server: Server, port = 0): Promise<{ url: string; port: number }> {
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const address = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${address.port}`, port: address.port };
}

/** Who lets everybody do everything, and whose clock is a quarter of an hour behind. */
export const openDoor = (): Server =>
  createServer((request, response) => {
    response.setHeader("date", new Date(Date.now() - 900_000).toUTCString());
    response.writeHead(request.method === "GET" ? 200 : 202).end("{}");
  });

type Named = { name: string };

export interface FakeTraefik {
  routers: Named[];
  middlewares: Named[];
  entrypoints: Named[];
  version?: string;
}

const PER_PAGE = 100;

/**
 * Traefik's API as pkg/api of traefik/traefik answers: pages of 100, the next one in X-Next-Page (1 on the last), and
 * {"message": …} with a 404.
 */
export function traefikApi(fake: FakeTraefik): RequestListener {
  const { routers, middlewares, entrypoints } = fake;
  return ({ url = "" }, response) => {
    const { pathname, searchParams } = new URL(url, "http://traefik");
    const answer = (status: number, body: unknown, next?: number) => {
      if (next !== undefined) response.setHeader("x-next-page", String(next));
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    };
    if (pathname === "/api/http/routers") {
      const page = Number(searchParams.get("page") ?? 1);
      const next = page * PER_PAGE < routers.length ? page + 1 : 1;
      return answer(200, routers.slice((page - 1) * PER_PAGE, page * PER_PAGE), next);
    }
    if (pathname === "/api/version" && fake.version) return answer(200, { Version: fake.version });
    const [, kind, name] = /^\/api\/(?:http\/)?(middlewares|entrypoints)\/(.+)$/.exec(pathname) ?? [];
    const found = (kind === "middlewares" ? middlewares : entrypoints).find((one) => one.name === name);
    if (found) answer(200, found);
    else
      answer(404, { message: `${kind === "middlewares" ? "middleware" : "entry point"} not found: ${name}` });
  };
}

export const router = (name: string, host: string, changes: Record<string, unknown> = {}) => ({
  entryPoints: ["websecure"],
  name,
  provider: name.replace(/^.*@/, ""),
  rule: `Host(\`${host}\`)`,
  service: name.replace(/@.*$/, ""),
  status: "enabled",
  tls: { options: "default" },
  using: ["websecure"],
  ...changes,
});

/** Line 3's default; Traefik writes a duration as its nanoseconds. */
export const entrypoint = (name: string, readTimeout: string | undefined) => ({
  address: ":443",
  http: { maxHeaderBytes: 1048576, sanitizePath: true },
  http2: { maxConcurrentStreams: 250 },
  name,
  transport: {
    lifeCycle: { graceTimeOut: "10000000000ns" },
    respondingTimeouts: { idleTimeout: "180000000000ns", ...(readTimeout ? { readTimeout } : {}) },
  },
});
