import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { trialConfig } from "../../src/config/initialConfig.js";
import { loadConfig } from "../../src/config/load.js";
import { Secret } from "../../src/credentials/secret.js";
import { ExitCode, type OperatorError } from "../../src/errors.js";
import { verifyFrontDoor } from "../../src/frontDoor/frontDoor.js";
import { askForLogin } from "../../src/frontDoor/questions.js";
import { type Session, uninterruptible } from "../../src/session.js";

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

test("what is cleaned up after Ctrl-C asks at the front door, too", () => {
  const { signal } = uninterruptible({ signal: AbortSignal.abort() } as Session);
  expect(signal.aborted).toBe(false);
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
      const login = Buffer.from(headers.authorization?.replace("Basic ", "") ?? "", "base64").toString();
      const who = login === "nobody:" ? " as nobody" : headers.authorization ? " as smith" : "";
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
      ids: ["anonymous-token", "storage", "login", "authelia"],
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
    expect(await questions(authelia, answers)).toEqual({
      ids: ["anonymous-token", "storage", "authelia"],
      wrong: [],
    });
  });
});

describe("Authelia and the UIs", () => {
  /** Asks a front door where each path has one status and body; the rest is as it should be. */
  async function answers(
    lines: string,
    given: Record<string, [status: number, body?: string]>,
    patience = 0,
  ) {
    const asked: string[] = [];
    const server = createServer(({ url = "", method, headers }, response) => {
      asked.push(`${method} ${url} ${headers.authorization ?? ""}`.trim());
      const [status, body = "{}"] = given[headers.authorization ? `login ${url}` : url] ?? [401];
      const challenge = { "www-authenticate": `Bearer realm="http://${headers.host}/auth/token"` };
      response.writeHead(status, challenge).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const { config } = loadConfig(`domain: localhost\nexpose: ports\n${lines}`, "f", {});
    // One server stands for both.
    const shown = { ...config, ports: { registry: port, ui: port } };
    const found = await verifyFrontDoor(shown, {}, patience).finally(() => server.close());
    return { asked, of: (id: string) => found.find((one) => one.id === id) };
  }
  const AUTHELIA = "users: { provider: both }\nauthelia: { url: 'http://10.0.0.1:9091' }\n";
  const TOKEN = "login /auth/token";
  const message = (text: string) => JSON.stringify({ errors: [{ code: "UNAVAILABLE", message: text }] });
  const DOWN = "Authelia does not answer, so its users cannot log in at the moment";
  const UNUSABLE =
    "Authelia cannot tell who logs in at localhost: its session cookies or access_control do not suit this host";
  const DENIED = "Authelia does not let this account use localhost";

  test.each<[string, [number, string?], string | undefined, string | undefined]>([
    ["answers", [401], undefined, undefined],
    ["is not asked, after too many guesses", [429], undefined, undefined],
    ["is down", [503, message(DOWN)], "silent", DOWN],
    ["has a rule bypass", [503, message(UNUSABLE)], "refuses", UNUSABLE],
    ["denies the host to everybody", [403, message(DENIED)], "refuses", DENIED],
    ["lets in whoever has no password", [200], undefined, "answered 200"],
  ])("where Authelia knows users, it is seen that it %s", async (_name, given, kind, fault) => {
    const { of, asked } = await answers(AUTHELIA, { [TOKEN]: given });
    const told = of("authelia");
    expect([told?.authelia, told?.fault]).toEqual([kind, fault && expect.stringContaining(fault)]);
    // Authelia counts no attempt without a password.
    const logins = asked.filter((line) => / Basic /.test(line)).map((line) => line.replace(/^.* /, ""));
    expect(logins.map((login) => Buffer.from(login, "base64").toString())).toEqual(["nobody:"]);
  });

  test("Authelia that is down is not asked again and again, which would take the places of other logins", async () => {
    const rest = {
      "/auth/token": [200],
      "/v2/hephaestus-probe/tags/list": [404],
      "/": [200],
      "/v2/_catalog?n=1": [200, '{"repositories":[]}'],
    } as Record<string, [number, string?]>;
    const { asked } = await answers(AUTHELIA, { ...rest, [TOKEN]: [503, message(DOWN)] }, 1.5);
    expect(asked.filter((line) => line.includes("Basic"))).toHaveLength(1);
  });

  test("where the htpasswd knows all users, nothing of that kind is asked", async () => {
    const { of, asked } = await answers("", {});
    expect([of("authelia"), asked.filter((line) => line.includes("Basic"))]).toEqual([undefined, []]);
  });

  const CATALOG = "/v2/_catalog?n=1";
  const LIST = '{"repositories":[]}';
  test.each<[string, string, Record<string, [number, string?]>, string | undefined]>([
    ["shows the catalog", "", { "/": [200], [CATALOG]: [200, LIST] }, undefined],
    ["has no catalog", "", { "/": [200], [CATALOG]: [404] }, "_catalog?n=1 answered 404"],
    ["answers with a page", "", { "/": [200], [CATALOG]: [200, "<html>"] }, "no list of repositories"],
    [
      "shows nothing, since nothing is public",
      "registry: { pull: authenticated }\naccess: [{ repositories: [team/**], pull: [ann] }]",
      { "/": [200], [CATALOG]: [401] },
      undefined,
    ],
  ])("a library that %s", async (_name, lines, given, fault) => {
    const { of } = await answers(lines, given);
    expect(of("library-catalog")?.fault).toEqual(fault && expect.stringContaining(fault));
  });

  test.each<[number, string | undefined, RegExp | undefined]>([
    [302, undefined, undefined],
    [401, undefined, undefined],
    [403, "refuses", /denies this host to everybody/],
    [400, "refuses", /session\.cookies/],
    [500, "silent", /gets no answer of Authelia/],
    [404, undefined, /instead of asking for a login/],
    [200, undefined, /instead of asking for a login/],
  ])("a UI behind Authelia that answers %s", async (status, kind, fault) => {
    const get = async () => new Response(null, { status });
    const seen = await askForLogin(get, "https://registry-admin.a.example");
    expect([seen?.authelia, seen?.fault]).toEqual([kind, fault && expect.stringMatching(fault)]);
  });
});
