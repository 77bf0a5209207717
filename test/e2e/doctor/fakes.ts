import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** A server on loopback, on a port of its own unless one is given. */
export async function listen(server: Server, port = 0): Promise<{ url: string; port: number }> {
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const address = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${address.port}`, port: address.port };
}

/** Who lets everybody do everything, and whose clock is a quarter of an hour behind. */
export const openEndpoint = (): Server =>
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

/** Traefik's API as pkg/api of traefik/traefik answers: lists of as many entries as are asked for, 100 by default. */
export function traefikApi({ version = "v3.6.2", ...fake }: FakeTraefik): RequestListener {
  return ({ url = "" }, response) => {
    const { pathname, searchParams } = new URL(url, "http://traefik");
    const answer = (body: unknown, status = 200) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    if (pathname === "/api/version") return answer({ Version: version });
    const [, kind] = /^\/api\/(?:http\/)?(routers|middlewares|entrypoints)$/.exec(pathname) ?? [];
    if (kind === undefined) return answer({ message: "not found" }, 404);
    return answer(fake[kind as "routers"].slice(0, Number(searchParams.get("per_page") ?? 100)));
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
