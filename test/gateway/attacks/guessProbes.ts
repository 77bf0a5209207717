/** Probes of guessed passwords, and of the turns in which the registry checks them. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, vi } from "vitest";
import { CHECK_LIMITS, TURNS } from "../../../src/services/gatewayLimits.js";
import type { Endpoint } from "../../e2e/attacks/raw.js";
import type { HeldChecks } from "./heldChecks.js";
import { ask, manifest, OCI, type Probe, RIGHT, type Site, uploadState, wrong } from "./site.js";

const A_MINUTE = { timeout: 60_000, interval: 50 };
/** After these an answer that is remembered for 2 seconds is out of date: nginx counts whole ones. */
const FORGOTTEN_MS = 3100;
/** Addresses of documentation. */
let marks = 0;

type Answers = Awaited<ReturnType<typeof ask>>[];

/** Sends so many at once. @returns those that are answered so far, and more of them later */
function answersOf(count: number, send: (index: number) => ReturnType<typeof ask>): Answers {
  const answers: Answers = [];
  for (let index = 0; index < count; index++)
    send(index).then(
      (answer) => answers.push(answer),
      // Where all has ended, some still wait.
      () => {},
    );
  return answers;
}

/** Sends so many at once, and waits for all answers. */
const atOnce = <T>(count: number, send: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => send(index)));

function checksOf({ checks }: Site): HeldChecks {
  if (checks === undefined) throw new Error("Nothing stands in the registry's place.");
  return checks;
}

const OWN = "too many wrong passwords from your address";
const BUSY = "too many logins are being checked";

/**
 * Guesses until the address is refused: 10 at once and some a minute. Some at a time, so that a slow machine gets there too, and
 * until none of a round is checked any more: nginx forgets the refusal where a check that began before it ends after it.
 *
 * @returns how many were answered 401
 */
async function exhaust(
  endpoint: Endpoint,
  headers: readonly string[] = [],
  targets: readonly string[] = ["/v2/"],
): Promise<number> {
  let refused = 0;
  for (let round = 0; round < 15; round++) {
    const target = targets[round % targets.length] ?? "";
    const guesses = await atOnce(4, () => ask(endpoint, "GET", target, [wrong(), ...headers]));
    const answers = guesses.map(({ status }) => status);
    refused += answers.filter((status) => status === 401).length;
    if (answers.every((status) => status === 429)) return refused;
  }
  return expect.fail(`${refused} wrong passwords from one address were answered 401.`);
}

/** How many guesses may have come back to an address whose guesses were used up then. */
const comeBack = (begin: number): number =>
  1 + Math.floor(((performance.now() - begin) / 60_000) * CHECK_LIMITS.wrongPerMinute);

export const guessesAreLimitedAndNobodyElseIs: Probe = async (site) => {
  const { endpoint } = site;
  await waitForStatus(endpoint, RIGHT, 200);
  const targets = ["/auth/token", uploadState(site), "/v2/"];
  expect(await exhaust(endpoint, [], targets)).toBeGreaterThanOrEqual(10);
  const flood = (target: string, headers: string[] = []) =>
    atOnce(30, () => ask(endpoint, "GET", target, [wrong(), ...headers]));
  const disguise = [
    `X-Forwarded-For: 198.51.100.${++marks % 250}`,
    `X-Client-Address: 198.51.100.${++marks % 250}`,
    `X-Real-IP: 198.51.100.${++marks % 250}`,
    "X-Last-Answer: EXPIRED",
  ];
  const begin = performance.now();
  const floods = [await flood("/auth/token"), await flood(uploadState(site)), await flood("/v2/", disguise)];
  const refused = floods.flat().filter(({ status }) => status === 429);
  expect(90 - refused.length).toBeLessThanOrEqual(comeBack(begin));
  for (const { body } of refused) {
    expect(body).toContain('"TOOMANYREQUESTS"');
    expect(body).toContain(OWN);
  }
  for (const [index, status] of [200, 404, 200].entries())
    expect((await ask(endpoint, "GET", targets[index] ?? "", [RIGHT])).status).toBe(status);
  expect((await ask(endpoint, "GET", manifest(site), [OCI])).status).toBe(200);
};

/** Where checks are held. */
export const theSameWrongPasswordIsOneGuess: Probe = async (site) => {
  const { endpoint } = site;
  const checks = checksOf(site);
  const same = wrong();
  const one = () => ask(endpoint, "GET", "/v2/", [same]);
  checks.hold();
  const answers = answersOf(20, one);
  // It was sent last, so the gateway has all of them.
  await ask(endpoint, "GET", "/healthz");
  await vi.waitFor(() => expect(checks.count({ queue: "swift" })).toBeGreaterThan(0), A_MINUTE);
  checks.release();
  const asked = () => checks.count({ queue: "swift" });
  await vi.waitFor(() => expect(asked() > 1 || answers.length === 20).toBe(true), A_MINUTE);
  expect(asked(), "checks of one password").toBe(1);
  for (const { status } of [...answers, ...(await atOnce(20, one))]) expect(status).toBe(401);
  expect(asked(), "checks of one password").toBe(1);
};

/** Where the gateway remembers an answer for 2 seconds: who was right is asked about again, and waits for nobody. */
export const whoWasRightBeforeWaitsForNobody: Probe = async ({ endpoint }) => {
  await waitForStatus(endpoint, RIGHT, 200);
  // Who is not known is refused from here on.
  await exhaust(endpoint);
  await sleep(FORGOTTEN_MS);
  const logins = await atOnce(20, () => ask(endpoint, "GET", "/v2/", [RIGHT]));
  expect(new Set(logins.map(({ status }) => status))).toEqual(new Set([200]));
};

/** Whose address may not guess any more is still told to log in, for nothing was asked about a password. */
export const aRefusalNeedsNoCheck: Probe = async ({ endpoint, image }) => {
  await exhaust(endpoint);
  const target = `/v2/${image.repository}/manifests/evil`;
  for (const [method, path, headers] of [
    ["PUT", target, []],
    ["GET", "/v2/", ["Authorization: Digest x"]],
  ] as const) {
    const answer = await ask(endpoint, method, path, headers);
    expect([answer.status, answer.headers["www-authenticate"]?.slice(0, 6)]).toEqual([401, "Bearer"]);
  }
};

/** Where the gateway remembers an answer for 2 seconds: a wrong password that was asked about before is no known one. */
export const aWrongPasswordIsNeverKnown: Probe = async ({ endpoint }) => {
  const old = Array.from({ length: 8 }, wrong);
  const statuses = () =>
    Promise.all(old.map(async (guess) => (await ask(endpoint, "GET", "/v2/", [guess])).status));
  expect(await statuses()).toEqual(old.map(() => 401));
  await exhaust(endpoint);
  await sleep(FORGOTTEN_MS);
  // Some guesses a minute are judged.
  expect((await statuses()).filter((status) => status === 429).length).toBeGreaterThan(4);
};

/** Where X-Forwarded-For is believed. */
const guessFrom = (endpoint: Endpoint, address: string) =>
  ask(endpoint, "GET", "/v2/", [wrong(), `X-Forwarded-For: ${address}`]);

/** Where checks are held, and turns and guesses come back in a minute: one address does not take the turns of others; all of them together may. */
export const guessesOfEverybodyAreLimited: Probe = async (site) => {
  const { endpoint } = site;
  const checks = checksOf(site);
  const from = (address: string) => guessFrom(endpoint, address);
  const inTurn = () => checks.count({ queue: "pace" });
  // Passwords are guessed, a few at a time, until the gateway notices it.
  for (let index = 0; inTurn() === 0; index += 5) {
    if (index > 2 * CHECK_LIMITS.guessesAtOnce) expect.fail("guesses do not slow checks down");
    await atOnce(5, (more) => from(`192.0.2.${index + more}`));
  }
  checks.hold();
  const own = answersOf(40, () => from("198.51.100.1"));
  const places = () => checks.count({ network: "198.51.100.1" });
  await vi.waitFor(
    () => expect(places() > TURNS.waitingOfAddress || own.length + places() >= 40).toBe(true),
    A_MINUTE,
  );
  expect(places(), "places of one address").toBe(TURNS.waitingOfAddress);
  const others = answersOf(1, () => from("198.51.100.2"));
  const heard = () => checks.count({ network: "198.51.100.2" });
  await vi.waitFor(() => expect(heard() + others.length).toBe(1), A_MINUTE);
  expect(heard(), "checks of the other address").toBe(1);
  const all = answersOf(45, (index) => from(`203.0.113.${index}`));
  // Of all of these, ten have a place at once and five wait for their turn.
  await vi.waitFor(() => expect(inTurn() > 20 || all.length >= 30).toBe(true), A_MINUTE);
  expect(inTurn(), "checks at once").toBeLessThanOrEqual(20);
  for (const { status, body, headers } of [...own, ...all]) {
    expect(status).toBe(429);
    expect(body).toContain(BUSY);
    expect(Number(headers["retry-after"])).toBeGreaterThan(0);
  }
};

/** Where checks are held: as long as nobody guesses, many unknown credentials are checked, some from one network. */
export const whoComesBackAfterARollIsCheckedAtOnce: Probe = async (site) => {
  const checks = checksOf(site);
  const { atOnceOfAddress } = TURNS;
  checks.hold();
  const refused = answersOf(105, () => guessFrom(site.endpoint, "198.51.100.7"));
  const [swift, slow] = [() => checks.count({ queue: "swift" }), () => checks.count({ queue: "pace" })];
  // All networks together have 111 places, so those of one are less.
  await vi.waitFor(
    () =>
      expect(
        slow() > 0 ||
          swift() > atOnceOfAddress ||
          (swift() === atOnceOfAddress && refused.length === 105 - atOnceOfAddress),
      ).toBe(true),
    A_MINUTE,
  );
  expect([swift(), slow()], "checks of one network, and those in the slow queue").toEqual([
    atOnceOfAddress,
    0,
  ]);
  for (const { body } of refused) expect(body).toContain(BUSY);
};

/** Where X-Forwarded-For is believed. */
export const aNetworkOfIpv6CountsAsOneAddress: Probe = async ({ endpoint }) => {
  for (const [network, same, other] of [
    ["2001:db8:1:2::1", "2001:db8:1:2:aaaa:bbbb:cccc:dddd", "2001:db8:1:3::1"],
    ["2001:db8::1", "2001:db8::ffff:2:3:4", "2001:db8:0:1::1"],
  ] as const) {
    await exhaust(endpoint, [`X-Forwarded-For: ${network}`]);
    // One guess may have come back meanwhile; an address that counted apart would have ten.
    const statuses = [(await guessFrom(endpoint, same)).status, (await guessFrom(endpoint, same)).status];
    expect(statuses, same).toContain(429);
    expect((await guessFrom(endpoint, other)).status, other).toBe(401);
  }
};

/** What makes the registry answer something else than 401 does not make a guess free. */
export const guessesInAnyFormAreCounted: Probe = async ({ endpoint }) => {
  await exhaust(endpoint, ["Referer: \x1b"]);
};

/** Where checks are held: guesses of one network that wait while others of it are wrong are not judged. */
export const whoWaitsForATurnIsLookedAtAgain: Probe = async (site) => {
  const { endpoint } = site;
  const checks = checksOf(site);
  const network = "198.51.100.9";
  const count = TURNS.atOnceOfAddress;
  checks.hold();
  // The first ones are judged at once, and those behind them wait for some seconds.
  const answers = answersOf(count, () => guessFrom(endpoint, network));
  const asked = () => checks.count({ network });
  await vi.waitFor(() => expect(asked()).toBeGreaterThan(CHECK_LIMITS.wrongAtOnce), A_MINUTE);
  checks.release();
  await vi.waitFor(() => expect(answers).toHaveLength(count), A_MINUTE);
  expect(answers.map(({ status }) => status)).toContain(429);
  expect(asked(), "guesses that were judged").toBeLessThan(count);
};

/** Where X-Forwarded-For is believed. */
export const oneAddressIsNotRefusedForAnother: Probe = async ({ endpoint }) => {
  await exhaust(endpoint, ["X-Forwarded-For: 198.51.100.3"]);
  // Many, since a limit lets one more through every 3 seconds; one by one, since all addresses share the turns.
  for (let guess = 0; guess < 8; guess++) {
    const other = await ask(endpoint, "GET", "/v2/", [wrong(), "X-Forwarded-For: 198.51.100.4"]);
    expect(other.status).toBe(401);
  }
};

/**
 * Where X-Forwarded-For is believed: who may say it keeps new logins of any address out and stands in the log as that
 * address (docs/security.md). Known users and pulls go on, and so do logins from elsewhere.
 */
export const whoForgesAnAddressKeepsOutNewLoginsAlone: Probe = async (site) => {
  const { endpoint, log } = site;
  const victim = "X-Forwarded-For: 198.51.100.5";
  await waitForStatus(endpoint, RIGHT, 200);
  await exhaust(endpoint, [victim]);
  // One guess may have come back meanwhile.
  const news = [await guessFrom(endpoint, "198.51.100.5"), await guessFrom(endpoint, "198.51.100.5")];
  expect(news.map(({ status }) => status)).toContain(429);
  expect((await ask(endpoint, "GET", "/auth/token", [RIGHT, victim])).status).toBe(200);
  expect((await ask(endpoint, "GET", manifest(site), [OCI, victim])).status).toBe(200);
  expect((await guessFrom(endpoint, "198.51.100.6")).status).toBe(401);
  await vi.waitFor(async () => expect(await log()).toMatch(/^198\.51\.100\.5 /m), A_MINUTE);
};

/** A password that has not proved right lately waits its turn while its address has guessed too often. */
async function waitForStatus(endpoint: Endpoint, header: string, status: number): Promise<void> {
  for (let tries = 0; tries < 30; tries++) {
    if ((await ask(endpoint, "GET", "/v2/", [header])).status === status) return;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  expect.fail(`no answer ${status} to this credential`);
}
