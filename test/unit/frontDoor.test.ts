import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { trialConfig } from "../../src/config/initialConfig.js";
import { loadConfig } from "../../src/config/load.js";
import { Secret } from "../../src/credentials/secret.js";
import { ExitCode, type OperatorError } from "../../src/errors.js";
import { verifyFrontDoor } from "../../src/registry/frontDoor.js";

/** Asks a registry that listens with the given handler; the person presses Ctrl-C as soon as it was asked the first time. */
async function interruptedAt(handler: Parameters<typeof createServer>[1]): Promise<number> {
  const controller = new AbortController();
  const server: Server = createServer((request, response) => {
    setTimeout(() => controller.abort(), 50);
    handler?.(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const { config } = loadConfig(
    trialConfig("/mnt/storage/registry", { registry: port, ui: 1 }),
    "a.yaml",
    {},
  );
  const start = Date.now();
  try {
    const error = await verifyFrontDoor(config, {}, 60, controller.signal).catch(
      (thrown: OperatorError) => thrown,
    );
    expect(error).toMatchObject({ exitCode: ExitCode.interrupted });
  } finally {
    server.closeAllConnections();
    server.close();
  }
  return Date.now() - start;
}

// A question may take 15 s, and a wrong answer is asked again for a minute.
test("Ctrl-C ends a question that nobody answers, at once", async () => {
  expect(await interruptedAt(() => undefined)).toBeLessThan(5000);
});

test("Ctrl-C ends the wait between two questions, at once", async () => {
  expect(await interruptedAt((_, response) => response.writeHead(500).end())).toBeLessThan(5000);
});

test("where nothing listens, the address is told", async () => {
  const { config } = loadConfig(trialConfig("/mnt/images", { registry: 4, ui: 5 }), "a.yaml", {});
  const faults = (await verifyFrontDoor(config, {}, 0)).map(({ fault }) => fault);
  expect(faults[0]).toMatch(/^http:\/\/localhost:4: nothing listens there/);
  expect(faults.at(-1)).toMatch(/^http:\/\/localhost:5: nothing listens there/);
});

test("a storage that does not answer is a fault, and one that has no such repository is none", async () => {
  const answers = new Map([["/v2/hephaestus-probe/tags/list", 503]]);
  const server = createServer((request, response) => {
    response.writeHead(answers.get(request.url ?? "") ?? 401).end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const ports = { registry: port, ui: 1 };
  const { config } = loadConfig(trialConfig("/mnt/storage/registry", ports), "a.yaml", {});
  const storage = async () =>
    (await verifyFrontDoor(config, {}, 0)).find(({ id }) => id === "storage")?.fault;
  try {
    expect(await storage()).toMatch(/the storage does not answer: .*tags\/list was answered 503/);
    answers.set("/v2/hephaestus-probe/tags/list", 404);
    expect(await storage()).toBeUndefined();
  } finally {
    server.close();
  }
});

describe("what is asked follows from the config", () => {
  const smith = { user: "smith", password: new Secret("anvil") };
  const TAGS = "GET /v2/hephaestus-probe/tags/list";

  /**
   * Asks a registry that refuses what it is not told to answer.
   *
   * @returns the ids of the questions, and of those that were answered wrongly
   */
  async function questions(lines: string, answers: Record<string, number> = {}, pull = "anonymous") {
    const server = createServer(({ url = "", method, headers }, response) => {
      const who = headers.authorization ? " as smith" : "";
      const challenge = { "www-authenticate": `Bearer realm="http://${headers.host}/auth/token"` };
      response.writeHead(answers[`${method} ${url}${who}`] ?? 401, challenge).end('{"token":"t"}');
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const base = `stack: forge\ndomain: localhost\nexpose: ports\nports: { registry: ${port} }\nui: { enabled: false }\n`;
    const registry = `registry: { pull: ${pull}, storage: { driver: filesystem, path: /mnt/images } }\n`;
    const { config } = loadConfig(base + registry + lines, "a.yaml", {});
    const given = await verifyFrontDoor(config, { login: smith, former: undefined }, 0).finally(() =>
      server.close(),
    );
    return {
      ids: given.map(({ id }) => id).filter((id) => id !== "challenge" && id !== "anonymous-write"),
      wrong: given.filter(({ fault }) => fault !== undefined).map(({ id }) => id),
    };
  }
  const access = (...rules: string[]): string =>
    `access: [${rules.map((rule) => `{ ${rule} }`).join(", ")}]\n`;
  const LOGIN = { "GET /auth/token as smith": 200, "GET /v2/ as smith": 200 };

  test("one public repository is enough for a token, and does not open the others", async () => {
    const rules = access(
      "repositories: [open], pull: anonymous",
      "repositories: ['**'], pull: authenticated",
    );
    const answers = { "GET /auth/token": 200, [`${TAGS} as smith`]: 404, ...LOGIN };
    expect(await questions(rules, answers)).toEqual({
      ids: ["anonymous-token", "storage", "anonymous-read", "login"],
      wrong: [],
    });
    const { wrong } = await questions(rules, { ...answers, "GET /auth/token": 401, [TAGS]: 404 });
    expect(wrong).toEqual(["anonymous-token", "anonymous-read"]);
  });

  test("a public repository is enough where registry.pull is authenticated", async () => {
    const rules = access("repositories: ['hephaestus-*'], pull: anonymous").replace("]\n", "]\n");
    const text = `${rules}users: { provider: both }\nauthelia: { url: 'http://10.0.0.1:9091' }\n`;
    const answers = { "GET /auth/token": 200, [TAGS]: 404, ...LOGIN };
    expect(await questions(text, answers, "authenticated")).toEqual({
      ids: ["anonymous-token", "storage", "login"],
      wrong: [],
    });
  });

  test("the storage is asked about only by a login that may", async () => {
    const { ids } = await questions(access("repositories: ['**'], pull: [ann]"), LOGIN);
    expect(ids).toEqual(["anonymous-token", "anonymous-read", "login"]);
  });

  test("where Authelia alone knows the users, a login of the htpasswd is not tried", async () => {
    const authelia = "users: { provider: authelia }\nauthelia: { url: 'http://10.0.0.1:9091' }\n";
    const answers = { "GET /auth/token": 200, [TAGS]: 404 };
    expect(await questions(authelia, answers)).toEqual({ ids: ["anonymous-token", "storage"], wrong: [] });
  });
});
