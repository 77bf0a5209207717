/** Tasks of the reader that come, die and fall silent, as the DNS of a Swarm shows them. */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { CREDENTIALS, WITH_READER } from "../e2e/stack.js";
import { replace } from "./attacks/mutation.js";
import { ask } from "./attacks/site.js";
import { changed } from "./gateways.js";
import { freePorts, HOST, PlainStack } from "./plainStack.js";
import { type Served, serveGateway } from "./served.js";

const NAME = "tasks.reader.example";
/** Addresses of this process alone, as HOST is. */
const ADDRESSES = [64, 128].map((more) =>
  HOST.replace(/\d+/, "127").replace(/\.(\d+)/, (_, second) => `.${(Number(second) + more) % 256}`),
);
const PATH = "/v2/tools/hello/manifests/latest";

/** Answers each question with the addresses that a name has at the moment. Source: RFC 1035, 4.1. */
async function startDns(addresses: () => readonly string[]): Promise<{ socket: Socket; port: number }> {
  const socket = createSocket("udp4");
  socket.on("message", (question, { address, port }) => {
    const found = addresses();
    const end = question.indexOf(0, 12) + 5;
    const header = Buffer.from(question.subarray(0, 12));
    header.writeUInt16BE(found.length === 0 ? 0x8183 : 0x8180, 2);
    header.writeUInt16BE(found.length, 6);
    header.fill(0, 8);
    const records = found.map((each) =>
      Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, ...each.split(".").map(Number)]),
    );
    socket.send(Buffer.concat([header, question.subarray(12, end), ...records]), port, address);
  });
  socket.bind(0, HOST);
  await once(socket, "listening");
  return { socket, port: socket.address().port };
}

/** What a task does with a request. */
type Task = "serves" | "is silent" | "breaks off";

let addresses: readonly string[] = [];
const tasks: Task[] = [];
let heard: number[] = [];
const servers: Server[] = [];
let dns: Socket;
let served: Served;

beforeAll(async () => {
  const [port = 0] = await freePorts(1);
  const found = await startDns(() => addresses);
  dns = found.socket;
  for (const [index, address] of ADDRESSES.entries()) {
    const server = createServer((request, response) => {
      heard.push(index);
      if (tasks[index] === "breaks off") request.socket.destroy();
      if (tasks[index] === "serves") response.end(`task ${index}`);
    }).listen(port, address);
    await once(server, "listening");
    servers.push(server);
  }
  // With gateways on other nodes than the folder, a reader serves what is read.
  const stack = await PlainStack.start({ gateway: WITH_READER }, CREDENTIALS.REGISTRY_HTPASSWD);
  const image = { repository: "tools/hello", tag: "latest" } as Served["image"];
  served = await serveGateway(stack, image, (files) =>
    changed(
      "config",
      /tasks\.plain_reader:5000/g,
      `${NAME}:${port}`,
    )(changed("config", "resolver 127.0.0.11", `resolver ${HOST}:${found.port}`)(files)),
  );
});

afterEach(() => {
  heard = [];
});

afterAll(async () => {
  await served?.stack.stop();
  dns?.close();
  for (const server of servers) server.closeAllConnections();
  for (const server of servers) server.close();
});

/** What clients get, one after the other, and the longest time that one waited. */
async function reads(count: number) {
  const answers: string[] = [];
  let longest = 0;
  for (let index = 0; index < count; index++) {
    const begun = performance.now();
    const { status, body } = await ask(served.endpoint, "GET", PATH);
    answers.push(status === 200 ? body : String(status));
    longest = Math.max(longest, performance.now() - begun);
  }
  return { answers, seconds: longest / 1000 };
}

function show(...now: readonly Task[]): void {
  tasks.splice(0, tasks.length, ...now);
  addresses = ADDRESSES.slice(0, now.length);
}

test("a name that has no address yet is no error, and is found when it has one", async () => {
  expect((await ask(served.endpoint, "GET", "/healthz")).status).toBe(200);
  expect((await reads(1)).answers).toEqual(["503"]);
  show("serves");
  await expect.poll(async () => (await reads(1)).answers, { timeout: 5000 }).toEqual(["task 0"]);
  await expect.poll(async () => (await reads(3)).answers, { timeout: 5000 }).toEqual(Array(3).fill("task 0"));
});

test("several tasks share the reads", async () => {
  show("serves", "serves");
  await expect
    .poll(async () => new Set((await reads(10)).answers), { timeout: 5000 })
    .toEqual(new Set(["task 0", "task 1"]));
});

test("what a task breaks off, another one answers, at once", async () => {
  show("breaks off", "serves");
  const { answers, seconds } = await reads(20);
  expect(answers).toEqual(Array(20).fill("task 1"));
  expect(seconds).toBeLessThan(4);
  expect(new Set(heard)).toEqual(new Set([0, 1]));
});

test("what a task is silent about for 5 seconds, another one answers", async () => {
  show("is silent", "serves");
  const together = await Promise.all(Array.from({ length: 6 }, () => reads(1)));
  expect(together.map(({ answers }) => answers[0])).toEqual(Array(6).fill("task 1"));
  expect(Math.max(...together.map(({ seconds }) => seconds))).toBeGreaterThan(4);
});

test("the only task falls silent, and the one that takes its place answers", async () => {
  show("serves", "serves");
  addresses = ADDRESSES.slice(0, 1);
  // nginx looks for addresses every second or two.
  await sleep(4000);
  expect(new Set((await reads(6)).answers)).toEqual(new Set(["task 0"]));
  tasks[0] = "is silent";
  const waiting = Promise.all(Array.from({ length: 4 }, () => reads(1)));
  addresses = ADDRESSES.slice(1);
  for (const { answers } of await waiting) expect(answers).toEqual(["task 1"]);
});

test("a gateway whose program cannot start serves nothing, and is not healthy", async () => {
  const program = `${served.home}/gateway.js`;
  await writeFile(program, replace(await readFile(program, "utf8"), "/secrets/http-secret", "/secrets/none"));
  process.kill(Number(await readFile(`${served.home}/tmp/nginx.pid`, "utf8")), "SIGHUP");
  const statusOf = async (path: string) => (await ask(served.endpoint, "GET", path)).status;
  // Workers with the old program still answer for a moment.
  await expect.poll(() => statusOf("/healthz"), { timeout: 5000 }).toBe(500);
  await expect.poll(() => statusOf(PATH), { timeout: 5000 }).toBe(503);
});
