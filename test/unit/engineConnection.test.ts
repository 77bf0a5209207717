import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { engineGet, enginePost } from "../../src/docker/engineApi.js";
import { type Docker, dockerCommand, dockersOf } from "../../src/docker/run.js";
import { ExitCode } from "../../src/errors.js";

/** The connection to an engine: a server on a socket, and a docker that connects its standard input and output with it. */

type Answer = (asked: IncomingMessage, answer: ServerResponse, body: string) => void;

let folder: string;
let server: Server;
let answer: Answer;
const requests: string[] = [];

const ok: Answer = (_asked, response) => response.end('{"ok":true}');

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "engine-"));
  requests.length = 0;
  answer = ok;
  server = createServer((asked, response) => {
    const chunks: Buffer[] = [];
    asked.on("data", (chunk: Buffer) => chunks.push(chunk));
    asked.on("end", () => {
      requests.push(`${asked.method} ${asked.url}`);
      if (asked.url === "/version") response.end('{"ApiVersion": "1.44"}');
      else answer(asked, response, Buffer.concat(chunks).toString());
    });
  });
  await new Promise<void>((resolve) => server.listen(join(folder, "socket"), resolve));
  writeFileSync(
    join(folder, "dial.cjs"),
    `const socket = require("node:net").connect(${JSON.stringify(join(folder, "socket"))});
process.stdin.pipe(socket).pipe(process.stdout);
socket.on("close", () => process.exit());
process.on("SIGTERM", () => {});`,
  );
  putDocker(`exec '${process.execPath}' ${folder}/dial.cjs`);
  vi.stubEnv("PATH", `${folder}:${process.env.PATH}`);
});

afterEach(() => {
  vi.unstubAllEnvs();
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

function putDocker(script: string): void {
  writeFileSync(join(folder, "docker"), `#!/bin/sh\necho "$*" >>${folder}/calls\n${script}\n`);
  chmodSync(join(folder, "docker"), 0o755);
}

const calls = (): string[] =>
  existsSync(join(folder, "calls")) ? readFileSync(join(folder, "calls"), "utf8").trim().split("\n") : [];

const ask = (docker: Docker, path = "/services") => docker.ask({ method: "GET", path });

test("one process serves all requests of a command, in the engine's own version of the API", async () => {
  const { docker, cleanupDocker, lockDocker } = dockersOf({ context: "far" });
  const bodies: string[] = [];
  answer = (_asked, response, body) => {
    bodies.push(body);
    response.end(`{"ok":true}`);
  };
  expect(await ask(docker)).toEqual({ status: 200, body: '{"ok":true}' });
  await enginePost(cleanupDocker, "/secrets/create", { Data: "anvil" });
  await ask(lockDocker, "/info");
  expect(requests).toEqual([
    "GET /version",
    "GET /v1.44/services",
    "POST /v1.44/secrets/create",
    "GET /v1.44/info",
  ]);
  expect(bodies).toEqual(["", '{"Data":"anvil"}', ""]);
  expect(calls()).toEqual(["--context far system dial-stdio"]);
});

test("questions at the same time need two processes at most, and a large answer comes whole", async () => {
  const docker = dockerCommand({});
  answer = (asked, response) => setTimeout(() => response.end(asked.url?.repeat(5_000)), 20);
  const paths = Array.from({ length: 9 }, (_, number) => `/services/${number}`);
  const bodies = (await Promise.all(paths.map((path) => ask(docker, path)))).map(({ body }) => body);
  expect(bodies).toEqual(paths.map((path) => `/v1.44${path}`.repeat(5_000)));
  expect(calls().length).toBeLessThanOrEqual(2);
});

test("many questions, one after the other and at once, leave nothing on a connection, which Node would warn of", async () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on("warning", onWarning);
  const docker = dockerCommand({});
  for (let number = 0; number < 15; number++) await ask(docker);
  await Promise.all(Array.from({ length: 40 }, () => ask(docker)));
  await new Promise((resolve) => setImmediate(resolve));
  process.off("warning", onWarning);
  expect(warnings).toEqual([]);
});

test("a connection that nobody uses does not keep the program from ending", async () => {
  const kept = () => process.getActiveResourcesInfo().filter((name) => /^(?:Process|Pipe)Wrap$/.test(name));
  const before = kept().length;
  const docker = dockerCommand({});
  answer = (_asked, response) => setTimeout(() => response.end("{}"), 20);
  const asked = ask(docker);
  await expect.poll(kept, { timeout: 20_000 }).toContain("ProcessWrap");
  await asked;
  expect(kept()).not.toContain("ProcessWrap");
  expect(kept().length).toBeLessThanOrEqual(before);
});

test("a connection that broke between two requests is opened anew, but nothing is created or changed twice", async () => {
  const docker = dockerCommand({});
  await ask(docker);
  let breaks = 1;
  answer = (asked, response, body) => {
    if (breaks-- > 0) asked.socket.destroy();
    else ok(asked, response, body);
  };
  expect(await ask(docker)).toMatchObject({ status: 200 });
  expect(requests.slice(1)).toEqual(["GET /v1.44/services", "GET /v1.44/services", "GET /v1.44/services"]);
  breaks = 1;
  const broken = enginePost(docker, "/configs/create", {});
  await expect(broken).rejects.toMatchObject({
    exitCode: ExitCode.docker,
    where: "Docker Engine API, POST /configs/create",
    message: "the connection was closed",
  });
  expect(requests.filter((line) => line.startsWith("POST"))).toHaveLength(1);
  // systemd ends all of them at once, and then the lock has to be removed.
  await Promise.all([ask(docker), ask(docker)]);
  breaks = 2;
  expect(await docker.ask({ method: "DELETE", path: "/configs/lock" })).toMatchObject({ status: 200 });
  // A new connection that breaks too is no connection that broke between two requests.
  breaks = 99;
  expect((await ask(dockerCommand({}))).status).toBeUndefined();
});

test("a request that is not answered ends, by its time or by an interruption, and the next one is answered", async () => {
  const controller = new AbortController();
  const { docker, cleanupDocker } = dockersOf({ signal: controller.signal });
  answer = () => {};
  expect(await docker.ask({ method: "GET", path: "/info", timeout: 50 })).toEqual({
    body: "did not answer in time",
  });
  const asked = ask(docker);
  await expect.poll(() => requests, { timeout: 20_000 }).toContain("GET /v1.44/services");
  controller.abort();
  await expect(asked).rejects.toMatchObject({ exitCode: ExitCode.interrupted });
  await expect(ask(docker)).rejects.toMatchObject({ exitCode: ExitCode.interrupted });
  answer = ok;
  expect(await ask(cleanupDocker)).toMatchObject({ status: 200 });
  // Nor does a process that was cut off, and does not end when it is told to, keep the program.
  expect(process.getActiveResourcesInfo()).not.toContain("ProcessWrap");
});

test("what the engine refuses is told in its words", async () => {
  const docker = dockerCommand({});
  const refuse = (status: number, body: string) => {
    answer = (_asked, response) => response.writeHead(status).end(body);
    return engineGet(docker, "/services?filters=x", z.unknown());
  };
  await expect(refuse(500, '{"message":"is in use"}')).rejects.toMatchObject({
    message: "is in use",
    where: "Docker Engine API, GET /services",
    exitCode: ExitCode.docker,
  });
  await expect(refuse(403, "no\n")).rejects.toThrow("no");
  await expect(refuse(400, "")).rejects.toThrow("was answered 400");
  await expect(refuse(503, '{"message":"This node is not a swarm manager."}')).rejects.toMatchObject({
    exitCode: ExitCode.preflight,
    remedy: expect.stringContaining("docker swarm init"),
  });
});

test.each([
  ["failed to open the raw stream connection: dial unix /run/x: connect: permission denied", /group docker/],
  [
    "failed to open the raw stream connection: dial unix /x: connect: no such file or directory",
    /Start Docker/,
  ],
  ["Cannot connect to the Docker daemon at tcp://x. Is the docker daemon running?", /Start Docker/],
  ["ann@far: Permission denied (publickey).", /ssh/],
])("a docker that says %s is told with what helps", async (complaint, remedy) => {
  putDocker(`echo '${complaint}' >&2; exit 1`);
  await expect(engineGet(dockerCommand({}), "/info", z.unknown())).rejects.toMatchObject({
    message: complaint.replace("failed to open the raw stream connection", "no connection to the engine"),
    remedy: expect.stringMatching(remedy),
    exitCode: ExitCode.preflight,
  });
});

test("a docker that is not there, or is none, is named", async () => {
  putDocker("echo hello");
  expect((await ask(dockerCommand({}))).status).toBeUndefined();
  vi.stubEnv("PATH", "/nonexistent");
  await expect(ask(dockerCommand({}))).rejects.toMatchObject({
    message: "the docker command was not found",
    exitCode: ExitCode.preflight,
  });
});

test("an answer that is not what it should be is an error with its source", async () => {
  const docker = dockerCommand({});
  const odd = (body: string) => {
    answer = (_asked, response) => response.end(body);
    return engineGet(docker, "/services?filters=x", z.array(z.object({ ID: z.string() })));
  };
  expect(await odd('[{"ID":"a","more":[null]}]')).toEqual([{ ID: "a", more: [null] }]);
  for (const [body, message] of [
    ['[{"ID":"a"},{"ID":1}]', /^gave an odd answer: at 1\.ID: .*string/],
    ["<html>", "gave an odd answer: is no JSON"],
  ] as const)
    await expect(odd(body)).rejects.toMatchObject({
      where: "Docker Engine API, GET /services",
      exitCode: ExitCode.docker,
      message: expect.stringMatching(message),
    });
});

test("Ctrl-C in a terminal does not end the connection, which the clean-up needs", async () => {
  putDocker(`ps -o pgid= -p $$ >${folder}/group; exec '${process.execPath}' ${folder}/dial.cjs`);
  await dockerCommand({}).ask({ method: "GET", path: "/services" });
  const { stdout } = spawnSync("ps", ["-o", "pgid=", "-p", String(process.pid)], { encoding: "utf8" });
  expect(readFileSync(join(folder, "group"), "utf8").trim()).not.toBe(stdout.trim());
});
