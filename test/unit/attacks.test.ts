import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { afterAll, expect, test } from "vitest";
import type { Endpoint } from "../e2e/attacks/raw.js";
import { attack, expectRefused, storing, writing } from "../e2e/intruder/attack.js";
import { combinations } from "../e2e/intruder/shapes.js";

/** What the end-to-end attacks are worth: a server that is not sound must fail them, in whichever way it is not. */

const closing: Array<() => void> = [];
afterAll(() => {
  for (const close of closing) close();
});

/** A server that answers all connections alike. */
async function serve(answer: (socket: Socket) => void): Promise<Endpoint> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on("error", () => {}));
    socket.once("data", () => answer(socket));
  });
  closing.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  return { name: "server", to: { host: "127.0.0.1", port }, authority: `localhost:${port}` };
}

const answering =
  (...statuses: number[]) =>
  (socket: Socket) =>
    socket.end(statuses.map((status) => `HTTP/1.1 ${status} Said\r\nContent-Length: 2\r\n\r\n{}`).join(""));

const PATIENCE_MS = 10_000;
const requests = combinations().slice(0, 400);
const WRITES = requests.filter(({ method, target }) => method === "POST" && target.startsWith("/v2/"));

test.each([
  ["refuses", answering(401)],
  ["asks for the body first, and refuses", answering(100, 401)],
])("a server that %s passes", async (_, answer) => {
  const outcome = await attack([await serve(answer)], requests.map(writing), PATIENCE_MS);
  expect(outcome.answers.size).toBe(1);
  expectRefused(outcome, 0.9);
});

test.each([
  ["never answers", () => {}, "unanswered"],
  ["closes without a byte", (socket: Socket) => socket.end(), "unanswered"],
  ["asks for the body and falls silent", answering(100), "unanswered"],
  ["has lost its registry", answering(502), "failed"],
  ["lets in", answering(202), "opened"],
  ["lets in behind an interim answer", answering(100, 201), "opened"],
  ["lets in the second of two", answering(401, 201), "opened"],
] as const)("a server that %s fails", async (_, answer, how) => {
  for (const kind of [
    WRITES.map(writing),
    WRITES.map(({ method, target }) => storing(`${method} ${target}`)),
  ]) {
    // Where an answer is expected, a busy machine may take its time.
    const silenceMs = how === "unanswered" ? 50 : PATIENCE_MS;
    const outcome = await attack([await serve(answer)], kind, silenceMs);
    expect(outcome[how]).toHaveLength(WRITES.length);
    expect(() => expectRefused(outcome, 0)).toThrow();
  }
});

test("a server that understands nothing proves nothing", async () => {
  const outcome = await attack([await serve(answering(400))], WRITES.map(writing), PATIENCE_MS);
  expect(() => expectRefused(outcome, 0.5)).toThrow("0 of ");
});
