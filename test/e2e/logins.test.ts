import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import bcrypt from "bcryptjs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ExitCode } from "../../src/errors.js";
import { clientAddresses } from "./addresses.js";
import { MANIFEST_TYPE, pushImage } from "./attacks/image.js";
import { ask, basic } from "./attacks/raw.js";
import { CREDENTIALS, DEPLOY, writeConfig } from "./stack.js";
import { useSwarm } from "./swarm.js";
import { Workspace } from "./workspace.js";

/** Many people behind one address: right passwords are not counted, and who is known does not wait behind guesses. */

const swarm = useSwarm();
const USERS = Array.from({ length: 40 }, (_, index) => `smith-${index}`);
/** One for all, so that the test computes one hash; a credential is the name with it. */
const SHARED = "Anvil-of-the-smiths";
/** The gateway asks again when this is over. Until then 40 users are known: as long as they all need on a busy machine. */
const MEMORY_SECONDS = 15;
/** Docker's command gives up then. */
const DOCKER_SECONDS = 15;

let forge: Workspace;
let url: string;
let office: string;
let others: string[];

beforeAll(async () => {
  forge = await Workspace.create("office", 5000, 8080);
  await writeConfig(forge, swarm, {
    ui: { enabled: false },
    gateway: { remember: `${MEMORY_SECONDS}s` },
  });
  await forge.hephaestus(["render"]);
  const hash = bcrypt.hashSync(SHARED, 10);
  const lines = USERS.map((user) => `${user}:${hash}\n`);
  const env = { ...CREDENTIALS, REGISTRY_HTPASSWD: CREDENTIALS.REGISTRY_HTPASSWD + lines.join("") };
  const run = await forge.hephaestus(DEPLOY, { env });
  expect(run.exitCode, run.all).toBe(ExitCode.ok);
  const reached = await clientAddresses(forge, 13);
  url = reached.url;
  [office = "", ...others] = reached.addresses;
});

afterAll(() => forge?.destroy());

interface Answer {
  status: number;
  body: string;
  milliseconds: number;
}

/** Asks for a token from an address of its own, as `docker login` does. */
function login(user: string, password: string, localAddress: string): Promise<Answer> {
  const started = performance.now();
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  const agent = new Agent({ localAddress });
  return new Promise((resolve, reject) => {
    const outgoing = request(`${url}/auth/token`, { agent, headers: { authorization } }, (incoming) => {
      let body = "";
      incoming.on("data", (chunk: Buffer) => {
        body += chunk;
      });
      const status = incoming.statusCode ?? 0;
      incoming.on("end", () => resolve({ status, body, milliseconds: performance.now() - started }));
    });
    outgoing.on("error", reject).end();
  });
}

const everybody = (): Promise<Answer[]> => Promise.all(USERS.map((user) => login(user, SHARED, office)));
const statuses = (answers: Answer[]): number[] => [...new Set(answers.map(({ status }) => status))].sort();
const slowest = (answers: Answer[]): number =>
  Math.max(...answers.map(({ milliseconds }) => milliseconds)) / 1000;

/** How often the registry ran bcrypt for a user and found the password wrong. */
async function refusals(user: string): Promise<number> {
  const { all } = await forge.docker("service", "logs", "--raw", "office_registry");
  return all.split(`error authenticating user \\"${user}\\"`).length - 1;
}

test("40 users of one address log in at once for the first time", async () => {
  const answers = await everybody();
  console.log(`40 first logins at once: the last after ${slowest(answers).toFixed(1)} s`);
  expect(statuses(answers)).toEqual([200]);
  expect(slowest(answers)).toBeLessThan(DOCKER_SECONDS);
});

test("after a roll of the gateway none of them is refused, though another address guesses", async () => {
  const roll = await forge.docker("service", "update", "--detach=false", "--force", "office_gateway");
  expect(roll.exitCode, roll.all).toBe(0);
  ({ url } = await clientAddresses(forge, 13));
  const guesses = Array.from({ length: 60 }, (_, index) =>
    login("smith-0", `rolled-${index}`, others[0] ?? ""),
  );
  await sleep(300);
  const answers = await everybody();
  console.log(`40 logins at once after a roll: the last after ${slowest(answers).toFixed(1)} s`);
  expect(new Set((await Promise.all(guesses)).map(({ status }) => status))).toEqual(new Set([401, 429]));
  expect(statuses(answers)).toEqual([200]);
});

test("headers that nobody sends fill no cache, and logins go on", async () => {
  const { hostname, port } = new URL(url);
  const door = {
    name: "gateway",
    to: { host: hostname, port: Number(port) },
    authority: `${hostname}:${port}`,
  };
  const { manifestDigest } = await pushImage(door, basic(USERS[0] ?? "", SHARED), "tools/hello", "latest");
  let left = 6000;
  const worker = async () => {
    while (left-- > 0) {
      const accept = `Accept: ${MANIFEST_TYPE}, x/${left}${"y".repeat(6000)}`;
      const { status } = await ask(door, "GET", `/v2/tools/hello/manifests/${manifestDigest}`, [accept]);
      expect(status).toBe(200);
    }
  };
  await Promise.all(Array.from({ length: 32 }, worker));
  const task = await forge.docker(
    "ps",
    "--quiet",
    "--filter",
    "label=com.docker.swarm.service.name=office_gateway",
  );
  const files = await forge.docker("exec", task.stdout.trim(), "sh", "-c", "ls /dev/shm/manifests | wc -l");
  expect(Number(files.stdout)).toBeGreaterThan(0);
  expect(Number(files.stdout)).toBeLessThan(10);
  expect(statuses(await everybody())).toEqual([200]);
});

test("the same wrong password again and again is one guess", async () => {
  const stale = "smith-0";
  const before = await refusals(stale);
  for (let round = 0; round < 3; round++) {
    const asked = Array.from({ length: 20 }, () => login(stale, "of last year", office));
    expect(statuses(await Promise.all(asked))).toEqual([401]);
  }
  await expect.poll(async () => (await refusals(stale)) - before).toBe(1);
});

test("known users log in while their address and others guess, also when they are asked about again", async () => {
  let guess = 0;
  let over = false;
  const guessed: Answer[] = [];
  const guessFrom = async (address: string) => {
    const answer = await login("smith", `guess-${guess++}`, address);
    guessed.push(answer);
    return answer;
  };
  let alone: number[] = [];
  for (let round = 0; round < 10 && !alone.includes(429); round++)
    alone = statuses(await Promise.all(Array.from({ length: 4 }, () => guessFrom(office))));
  const known = await everybody();
  const proved = performance.now();
  const flood = [office, ...others].flatMap((address) =>
    Array.from({ length: 3 }, async () => {
      while (!over && guess < 6000) {
        await guessFrom(address);
        await sleep(500);
      }
    }),
  );
  const remembered = await everybody();
  // Everybody's answer is out of date: the registry is asked about all of them.
  await sleep(Math.max(0, (MEMORY_SECONDS + 1) * 1000 - (performance.now() - proved)));
  const rounds: Answer[] = [];
  for (let round = 0; round < 4; round++) {
    rounds.push(...(await everybody()));
    await sleep(1000);
  }
  over = true;
  await Promise.all(flood);
  console.log(
    `${guessed.length} guesses from 13 addresses; known users: at most ${slowest(rounds).toFixed(1)} s`,
  );
  expect(statuses([...known, ...remembered, ...rounds])).toEqual([200]);
  expect(slowest([...remembered, ...rounds])).toBeLessThan(DOCKER_SECONDS);
  expect(statuses(guessed)).toEqual([401, 429]);
  // Both reasons are given, each where it is true.
  const words = new Set(guessed.map(({ body }) => /"message":"([^",]*)/.exec(body)?.[1]));
  expect(words).toContain("too many wrong passwords from your address");
  expect(words).toContain("too many logins are being checked at the moment");
});
