/** Many people behind one address: right passwords are not counted, and who is known does not wait behind guesses. */
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import bcrypt from "bcryptjs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { MANIFEST_TYPE } from "../e2e/attacks/image.js";
import { basic } from "../e2e/attacks/raw.js";
import { rate } from "../e2e/load.js";
import { BCRYPT_COST, CREDENTIALS } from "../e2e/stack.js";
import { ask } from "./attacks/site.js";
import { type Served, serve, serveGateway } from "./served.js";

const USERS = Array.from({ length: 40 }, (_, index) => `smith-${index}`);
/** One for all, so that the test computes one hash; a credential is the name with it. */
const SHARED = "Anvil-of-the-smiths";
/** The gateway asks again when this is over. Until then a wrong password is one guess, however busy the machine is. */
const MEMORY_SECONDS = 6;
/** Docker's command gives up then. */
const DOCKER_SECONDS = 15;
const OFFICE = "127.200.0.1";
const OTHERS = Array.from({ length: 12 }, (_, index) => `127.200.0.${index + 2}`);

/** The gateway that is asked: the first one, then one that took its place. */
let served: Served;

beforeAll(async () => {
  // A check costs little: what is measured is how the gateway lets them wait, not how busy the machine is.
  const hash = bcrypt.hashSync(SHARED, BCRYPT_COST);
  const lines = USERS.map((user) => `${user}:${hash}\n`);
  const config = { ui: { enabled: false }, gateway: { remember: `${MEMORY_SECONDS}s`, cache: "100M" } };
  served = await serve(config, { htpasswd: CREDENTIALS.REGISTRY_HTPASSWD + lines.join("") });
});

afterAll(() => served?.stack.stop());

interface Timed {
  status: number;
  body: string;
  milliseconds: number;
}

/** Asks for a token from an address of its own, as `docker login` does. */
async function login(user: string, password: string, localAddress: string): Promise<Timed> {
  const started = performance.now();
  const endpoint = { ...served.endpoint, to: { ...served.endpoint.to, localAddress } };
  const { status, body } = await ask(endpoint, "GET", "/auth/token", [basic(user, password)]);
  return { status, body, milliseconds: performance.now() - started };
}

const everybody = (): Promise<Timed[]> => Promise.all(USERS.map((user) => login(user, SHARED, OFFICE)));
const statuses = (answers: Timed[]): number[] => [...new Set(answers.map(({ status }) => status))].sort();
const slowest = (answers: Timed[]): number =>
  Math.max(...answers.map(({ milliseconds }) => milliseconds)) / 1000;

/** How often the registry ran bcrypt for a user and found the password wrong. */
const refusals = (user: string): number =>
  readFileSync(`${served.stack.folder}/registry/log`, "utf8").split(`error authenticating user \\"${user}\\"`)
    .length - 1;

test("40 users of one address log in at once for the first time", async () => {
  const answers = await everybody();
  console.log(`40 first logins at once: the last after ${slowest(answers).toFixed(1)} s`);
  expect(statuses(answers)).toEqual([200]);
  expect(slowest(answers)).toBeLessThan(DOCKER_SECONDS);
});

test("after a roll of the gateway none of them is refused, though another address guesses", async () => {
  // The one that takes its place knows nothing of what it remembered.
  served = await serveGateway(served.stack, served.image);
  const guesses = Array.from({ length: 60 }, (_, index) =>
    login("smith-0", `rolled-${index}`, OTHERS[0] ?? ""),
  );
  await sleep(300);
  const answers = await everybody();
  console.log(`40 logins at once after a roll: the last after ${slowest(answers).toFixed(1)} s`);
  expect(new Set((await Promise.all(guesses)).map(({ status }) => status))).toEqual(new Set([401, 429]));
  expect(statuses(answers)).toEqual([200]);
});

test("headers that nobody sends fill no cache, and logins go on", async () => {
  const { url, image, home } = served;
  let number = 0;
  const headers = () => ({ accept: `${MANIFEST_TYPE}, x/${number++}${"y".repeat(6000)}` });
  const manifest = `${url}/v2/tools/hello/manifests/${image.manifestDigest}`;
  const { failed } = await rate(manifest, headers, { connections: 32, seconds: 240, most: 6000 });
  expect([number, failed]).toEqual([6000, 0]);
  const files = readdirSync(`${home}/tmp/manifests`).length;
  expect(files).toBeGreaterThan(0);
  expect(files).toBeLessThan(10);
  expect(statuses(await everybody())).toEqual([200]);
});

test("the same wrong password again and again is one guess", async () => {
  const stale = "smith-0";
  const before = refusals(stale);
  for (let round = 0; round < 3; round++) {
    const asked = Array.from({ length: 20 }, () => login(stale, "of last year", OFFICE));
    expect(statuses(await Promise.all(asked))).toEqual([401]);
  }
  await expect.poll(() => refusals(stale) - before, { timeout: 10_000 }).toBe(1);
});

test("known users log in while their address and others guess, also when they are asked about again", async () => {
  let guess = 0;
  let over = false;
  const guessed: Timed[] = [];
  const guessFrom = async (address: string) => {
    const answer = await login("smith", `guess-${guess++}`, address);
    guessed.push(answer);
    return answer;
  };
  let alone: number[] = [];
  for (let round = 0; round < 10 && !alone.includes(429); round++)
    alone = statuses(await Promise.all(Array.from({ length: 4 }, () => guessFrom(OFFICE))));
  const known = await everybody();
  const proved = performance.now();
  const flood = [OFFICE, ...OTHERS].flatMap((address) =>
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
  const rounds: Timed[] = [];
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
