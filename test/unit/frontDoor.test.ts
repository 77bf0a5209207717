import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { trialConfig } from "../../src/config/initialConfig.js";
import { loadConfig } from "../../src/config/load.js";
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
