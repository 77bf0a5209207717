import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import bcrypt from "bcryptjs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ExitCode } from "../../src/errors.js";
import { addressForTasks } from "./addresses.js";
import { buildImage, type Image } from "./clients/images.js";
import { pushLayout } from "./clients/oci.js";
import { OciClient } from "./clients/ociClient.js";
import { findLeaks } from "./leaks.js";
import { BCRYPT_COST, CREDENTIALS, DEPLOY, PASSWORD, USER, writeConfig } from "./stack.js";
import { useSwarm } from "./swarm.js";
import { expectOk, Workspace } from "./workspace.js";

/** Receivers get pushes and deletions, with the user who did it. */

const swarm = useSwarm();
const ANN = "Tongs-and-bellows-4";
const TOKEN = "Bearer receiver-token-8";

interface Event {
  action: string;
  target: { repository: string; tag?: string; digest: string };
  actor: { name?: string };
  request: { useragent: string; addr: string };
}

let folder: string;
let workspace: Workspace;
let image: Image;
let port: number;
let server: Server | undefined;
/** Events by the path that they came to, and the Authorization headers that came with them. */
const events = new Map<string, Event[]>();
const authorizations = new Set<string>();

const clientOf = (user: string, password: string) =>
  new OciClient(workspace.registryUrl, `${user}:${password}`);

async function listen(): Promise<void> {
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const path = request.url ?? "";
      const { events: came } = JSON.parse(String(Buffer.concat(chunks))) as { events: Event[] };
      events.set(path, [...(events.get(path) ?? []), ...came]);
      authorizations.add(`${path} ${request.headers.authorization}`);
      response.writeHead(202).end();
    });
  });
  await new Promise<void>((resolve) => server?.listen(port, "0.0.0.0", resolve));
  port = (server.address() as AddressInfo).port;
}

async function close(): Promise<void> {
  server?.closeAllConnections();
  await new Promise((resolve) => server?.close(resolve));
}

/** What came to a receiver: action, image, and user. */
const eventsAt = (path: string): string[] =>
  (events.get(path) ?? []).map(
    ({ action, target, actor }) => `${action} ${target.repository}:${target.tag ?? "-"} ${actor.name}`,
  );

beforeAll(async () => {
  folder = await mkdtemp(`${tmpdir()}/notify-`);
  image = buildImage(folder, "events", [20_000]);
  port = 0;
  await listen();
  const host = await addressForTasks();
  workspace = await Workspace.create("events", 5040, 8120);
  await writeConfig(workspace, swarm, {
    root: {
      notifications: [
        { name: "all", url: `http://${host}:${port}/all`, headers: true },
        {
          name: "team",
          url: `http://${host}:${port}/team?x=1`,
          actions: ["push"],
          repositories: ["team/**"],
        },
      ],
    },
    registry: { delete: true },
    ui: { enabled: false },
  });
  await workspace.hephaestus(["render"]);
  const missing = await workspace.hephaestus(DEPLOY, { env: CREDENTIALS });
  expect(missing.exitCode, missing.all).toBe(ExitCode.preflight);
  expect(missing.all).toContain("the headers of notifications are not in the Swarm yet");
  const htpasswd = `${CREDENTIALS.REGISTRY_HTPASSWD}ann:${bcrypt.hashSync(ANN, BCRYPT_COST)}\n`;
  const headers = JSON.stringify({ all: { Authorization: TOKEN } });
  const env = { ...CREDENTIALS, REGISTRY_HTPASSWD: htpasswd, REGISTRY_NOTIFICATION_HEADERS: headers };
  const run = await workspace.hephaestus(DEPLOY, { env });
  expectOk(run);
});

afterAll(async () => {
  await close();
  await workspace?.destroy();
  await rm(folder, { recursive: true, force: true });
});

test("a push and a deletion come with the user who did it, to those who want them", async () => {
  await pushLayout(clientOf("ann", ANN), image, "team/app:1");
  await pushLayout(clientOf(USER, PASSWORD), image, "other/app:2");
  await clientOf(USER, PASSWORD).deleteManifest("other/app", image.root.digest);
  // The registry has one event for the image that was deleted, and one for each of its tags.
  const deletions = [`delete other/app:- ${USER}`, `delete other/app:2 ${USER}`];
  await expect
    .poll(() => eventsAt("/all").sort(), { timeout: 60_000 })
    .toEqual([...deletions, `push other/app:2 ${USER}`, "push team/app:1 ann"]);
  await expect.poll(() => eventsAt("/team?x=1"), { timeout: 60_000 }).toEqual(["push team/app:1 ann"]);
  const event = events.get("/all")?.find(({ action }) => action === "push");
  expect(event?.target.digest).toBe(image.root.digest);
  // The client's own name, without what the gateway wrote in front of it.
  expect(event?.request.useragent).toBe("node");
  expect([...authorizations].sort()).toEqual([`/all ${TOKEN}`, "/team?x=1 undefined"]);
});

test("a receiver that is down is found, and gets later what happened meanwhile", async () => {
  await close();
  await pushLayout(clientOf("ann", ANN), image, "team/app:3");
  await expect
    .poll(async () => (await workspace.hephaestus(["doctor", "--json"])).stdout, {
      timeout: 60_000,
      interval: 2000,
    })
    .toMatch(/"code":"receiver-failed"[^}]*"the receiver all does not take notifications"/);
  await listen();
  await expect.poll(() => eventsAt("/all"), { timeout: 60_000 }).toContain("push team/app:3 ann");
  await expect.poll(() => eventsAt("/team?x=1"), { timeout: 60_000 }).toContain("push team/app:3 ann");
  await expect
    .poll(async () => (await workspace.hephaestus(["doctor", "--json"])).stdout, {
      timeout: 30_000,
      interval: 2000,
    })
    .not.toContain("receiver-failed");
});

test("no secret header is anywhere but in the secret", async () => {
  expect(await findLeaks(workspace, [TOKEN.slice("Bearer ".length)])).toEqual([]);
  const env = {
    ...CREDENTIALS,
    REGISTRY_NOTIFICATION_HEADERS: JSON.stringify({ all: { Authorization: TOKEN } }),
  };
  const again = await workspace.hephaestus(DEPLOY, { env });
  expectOk(again);
  expect(again.all).toContain("nothing changed");
});
