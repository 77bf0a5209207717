import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Secret } from "../../src/credentials/secret.js";
import { ExitCode } from "../../src/errors.js";
import { digestOf } from "../../src/registry/digest.js";
import { RegistryApi } from "../../src/registry/registryApi.js";
import { RegistryClient } from "../../src/registry/registryClient.js";
import { shortPauses } from "../support/shortPauses.js";

shortPauses();

const DIGEST = digestOf(Buffer.from("1"));

/** A registry that asks for a login in one way or another. */
let server: Server;
let url: string;
let answer: (request: IncomingMessage, response: ServerResponse, path: URL) => void;
const asked: string[] = [];

beforeEach(async () => {
  asked.length = 0;
  server = createServer((request, response) => {
    const path = new URL(request.url ?? "", "http://localhost");
    asked.push(`${request.method} ${path.pathname} ${request.headers.authorization ?? "-"}`);
    answer(request, response, path);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const LOGIN = { user: "ann", password: new Secret("anvil") };
const BASIC = `Basic ${Buffer.from("ann:anvil").toString("base64")}`;
const tags = (login?: typeof LOGIN) => new RegistryApi(new RegistryClient(url, login)).tags("team/app");

describe("the Bearer protocol", () => {
  const scopes: Array<string | null> = [];

  beforeEach(() => {
    scopes.length = 0;
    answer = (request, response, path) => {
      if (path.pathname === "/token") {
        scopes.push(path.searchParams.get("scope"));
        expect(path.searchParams.get("service")).toBe("forge");
        const isRight = [undefined, BASIC].includes(request.headers.authorization);
        const token = request.headers.authorization ? "t-ann" : "t-anybody";
        response.writeHead(isRight ? 200 : 401).end(JSON.stringify({ token }));
        return;
      }
      if (/^Bearer t-/.test(request.headers.authorization ?? "")) {
        response.end(JSON.stringify({ tags: ["v1"] }));
        return;
      }
      const challenge = `Bearer realm="${url}/token",service="forge",scope="repository:team/app:pull"`;
      response.writeHead(401, { "www-authenticate": challenge }).end();
    };
  });

  test("gives a token to anybody who pulls, and it is used again", async () => {
    const api = new RegistryApi(new RegistryClient(url, undefined));
    expect(await api.tags("team/app")).toEqual(["v1"]);
    expect(await api.tags("team/app")).toEqual(["v1"]);
    expect(scopes).toEqual(["repository:team/app:pull"]);
    expect(asked.at(-1)).toBe("GET /v2/team/app/tags/list Bearer t-anybody");
  });

  test("gives a user's token for the user's password", async () => {
    expect(await tags(LOGIN)).toEqual(["v1"]);
    expect(asked.at(-1)).toBe("GET /v2/team/app/tags/list Bearer t-ann");
  });

  test("asks for what the request needs", async () => {
    const api = new RegistryApi(new RegistryClient(url, LOGIN));
    await api.repositories();
    await api.putManifest("team/app", "v1", { mediaType: "a/b", bytes: Buffer.from("{}") });
    await api.remove("team/app", DIGEST);
    expect(scopes).toEqual([
      "registry:catalog:*",
      "repository:team/app:pull,push",
      "repository:team/app:delete",
    ]);
  });

  test("refuses a wrong password in words, once", async () => {
    const wrong = { user: "ann", password: new Secret("hammer") };
    await expect(tags(wrong)).rejects.toMatchObject({
      message: "the password of ann was refused",
      exitCode: ExitCode.credentials,
    });
    expect(scopes).toHaveLength(1);
  });
});

describe("Basic", () => {
  beforeEach(() => {
    answer = (request, response) => {
      if (request.headers.authorization === BASIC) response.end(JSON.stringify({ tags: ["v1"] }));
      else response.writeHead(401, { "www-authenticate": 'Basic realm="forge"' }).end();
    };
  });

  test("takes the user's password, and is asked once", async () => {
    expect(await tags(LOGIN)).toEqual(["v1"]);
    expect(asked).toHaveLength(1);
  });

  test("needs a login where there is none", async () => {
    await expect(tags()).rejects.toMatchObject({
      message: "a login is needed",
      exitCode: ExitCode.credentials,
    });
  });
});

describe("a passing fault", () => {
  test("is tried again, after as long as the registry says", async () => {
    answer = (_, response) => {
      if (asked.length > 2) response.end(JSON.stringify({ tags: ["v1"] }));
      else response.writeHead(asked.length === 1 ? 503 : 429, { "retry-after": "40" }).end();
    };
    const start = Date.now();
    expect(await tags()).toEqual(["v1"]);
    expect(asked).toHaveLength(3);
    // Twice 40 seconds; its own pauses would be 2.5 in all.
    expect(Date.now() - start).toBeGreaterThan(700);
  });

  test("is none where a request cannot be sent twice", async () => {
    answer = (_, response) => response.writeHead(503).end();
    const api = new RegistryApi(new RegistryClient(url, LOGIN));
    await expect(api.remove("team/app", DIGEST)).rejects.toMatchObject({ exitCode: ExitCode.verify });
    expect(asked).toHaveLength(1);
  });

  test("ends with an interruption", async () => {
    answer = (_, response) => response.writeHead(503, { "retry-after": "50" }).end();
    const controller = new AbortController();
    const run = new RegistryApi(new RegistryClient(url, undefined, { signal: controller.signal })).tags(
      "team/app",
    );
    setTimeout(() => controller.abort(), 100);
    await expect(run).rejects.toMatchObject({ exitCode: ExitCode.interrupted });
  });
});

test("a registry that does not answer is named, with the reason", async () => {
  await new Promise((resolve) => server.close(resolve));
  const api = new RegistryApi(new RegistryClient(url, undefined));
  await expect(api.remove("team/app", DIGEST)).rejects.toMatchObject({
    message: "does not answer (ECONNREFUSED)",
    where: url,
  });
});
