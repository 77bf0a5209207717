/** Probes of addresses, bodies, guesses, logs, and of what the registry hears. */
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, vi } from "vitest";
import { CHECK_LIMITS } from "../../../src/services/gatewayLimits.js";
import { digestOf, startUpload } from "../../e2e/attacks/image.js";
import { type Answer, type Door, request, talk } from "../../e2e/attacks/raw.js";
import { USER } from "../../e2e/stack.js";
import {
  ANONYMOUS,
  ask,
  cancel,
  EVIL,
  manifest,
  OCI,
  type Probe,
  RIGHT,
  uploadState,
  wrong,
} from "./site.js";

let marks = 0;

/** Sends so many at once. A probe that fails before it looks at the answers does not wait for them. */
function atOnce<T>(count: number, send: (index: number) => Promise<T>): Promise<T[]> {
  const answers = Promise.all(Array.from({ length: count }, (_, index) => send(index)));
  answers.catch(() => {});
  return answers;
}

export const addressesAreOfTheConfiguredHost: Probe = async ({ door, image }) => {
  for (const headers of [["Host: evil.example"], EVIL, ...EVIL.map((header) => [header])]) {
    const target = `/v2/${image.repository}/blobs/uploads/`;
    const answer = await ask(door, "POST", target, [RIGHT, ...headers]);
    expect(answer.status).toBe(202);
    expect(JSON.stringify(answer)).not.toMatch(/evil|gopher/);
    const location = new URL(answer.headers.location ?? "");
    expect(location.origin).toBe(`http://${door.authority}`);
    await cancel(door, location.pathname + location.search);
  }
};

export const largeBodiesStreamThrough: Probe = async ({ door, image, storage }) => {
  const target = await startUpload(door, RIGHT, image.repository);
  const half = "x".repeat(1_500_000);
  const head = `PATCH ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${RIGHT}\r\nContent-Length: ${2 * half.length}\r\n\r\n`;
  const afterMs = 1500;
  const sending = talk(door, head + half, { silenceMs: 60_000, later: [{ afterMs, bytes: half }] });
  await new Promise((resolve) => setTimeout(resolve, afterMs - 200));
  const id = /uploads\/([^?]*)/.exec(target)?.[1];
  const file = `${storage}/docker/registry/v2/repositories/${image.repository}/_uploads/${id}/data`;
  const arrived = (await readFile(file)).length;
  const { text, statuses } = await sending;
  if (statuses.length === 0) throw new Error(`PATCH ${target} has no answer`);
  expect(statuses).toEqual([202]);
  expect(arrived, "bytes that the registry has before the client has sent all").toBeGreaterThan(1_000_000);
  const location = /^Location: http:\/\/[^/]*(\S+)/im.exec(text)?.[1];
  await cancel(door, location ?? "");
};

const OWN = "too many wrong passwords from your address";
const BUSY = "too many logins are being checked";

/**
 * Guesses until the address is refused: 10 at once and some a minute. Some at a time, so that a slow machine gets there too, and
 * until none of a round is checked any more: nginx forgets the refusal where a check that began before it ends after it.
 *
 * @returns how many were answered 401
 */
async function exhaust(
  door: Door,
  headers: readonly string[] = [],
  targets: readonly string[] = ["/v2/"],
): Promise<number> {
  let refused = 0;
  for (let round = 0; round < 15; round++) {
    const target = targets[round % targets.length] ?? "";
    const guesses = await atOnce(4, () => ask(door, "GET", target, [wrong(), ...headers]));
    const answers = guesses.map(({ status }) => status);
    refused += answers.filter((status) => status === 401).length;
    if (answers.every((status) => status === 429)) return refused;
  }
  return expect.fail(`${refused} wrong passwords from one address were answered 401.`);
}

export const guessesAreLimitedAndNobodyElseIs: Probe = async (site) => {
  const { door } = site;
  await waitForStatus(door, RIGHT, 200);
  const targets = ["/auth/token", uploadState(site), "/v2/"];
  expect(await exhaust(door, [], targets)).toBeGreaterThanOrEqual(10);
  const flood = (target: string, headers: string[] = []) =>
    atOnce(30, () => ask(door, "GET", target, [wrong(), ...headers]));
  const disguise = [
    `X-Forwarded-For: 198.51.100.${++marks % 250}`,
    `X-Client-Address: 198.51.100.${++marks % 250}`,
    `X-Real-IP: 198.51.100.${++marks % 250}`,
    "X-Last-Answer: EXPIRED",
  ];
  const started = performance.now();
  const floods = [await flood("/auth/token"), await flood(uploadState(site)), await flood("/v2/", disguise)];
  for (const { status, body } of floods.flat()) {
    expect(status).toBe(429);
    expect(body).toContain('"TOOMANYREQUESTS"');
    expect(body).toContain(OWN);
  }
  for (const [index, status] of [200, 404, 200].entries())
    expect((await ask(door, "GET", targets[index] ?? "", [RIGHT])).status).toBe(status);
  expect((await ask(door, "GET", manifest(site), [OCI])).status).toBe(200);
  // None of these had to wait for a check.
  expect(performance.now() - started).toBeLessThan(5000 * (await slowness(door)));
};

export const theSameWrongPasswordIsOneGuess: Probe = async ({ door }) => {
  const same = wrong();
  for (let tries = 0; tries < 3; tries++) {
    const asked = atOnce(20, () => ask(door, "GET", "/v2/", [same]));
    // Each for itself, they would wait for their turns.
    const late = sleep(CHECK_LIMITS.patience * 1000, [], { ref: false });
    const answers = await Promise.race([asked, late]);
    if (answers.length === 0) {
      // A gateway that answers nobody shows nothing.
      await ask(door, "GET", "/healthz");
      expect.fail("the same wrong password waits for its turn");
    }
    for (const { status } of answers) expect(status).toBe(401);
  }
};

/** How many times longer than on a calm machine something takes now. */
async function slowness(door: Door): Promise<number> {
  const started = performance.now();
  await atOnce(20, () => ask(door, "GET", "/auth/anonymous"));
  return Math.max(1, (performance.now() - started) / 50);
}

/** Where the gateway remembers an answer for 2 seconds: who was right is asked about again, and waits for nobody. */
export const whoWasRightBeforeWaitsForNobody: Probe = async ({ door }) => {
  await waitForStatus(door, RIGHT, 200);
  const guesses = atOnce(25, () => ask(door, "GET", "/v2/", [wrong()]));
  await sleep(3500);
  const started = performance.now();
  const logins = await atOnce(20, () => ask(door, "GET", "/v2/", [RIGHT]));
  expect(new Set(logins.map(({ status }) => status))).toEqual(new Set([200]));
  expect(performance.now() - started).toBeLessThan(3000 * (await slowness(door)));
  for (const { status } of await guesses) expect([401, 429]).toContain(status);
};

/** Whose address may not guess any more is still told to log in, for nothing was asked about a password. */
export const aRefusalNeedsNoCheck: Probe = async ({ door, image }) => {
  await exhaust(door);
  const target = `/v2/${image.repository}/manifests/evil`;
  for (const [method, path, headers] of [
    ["PUT", target, []],
    ["GET", "/v2/", ["Authorization: Digest x"]],
  ] as const) {
    const answer = await ask(door, method, path, headers);
    expect([answer.status, answer.headers["www-authenticate"]?.slice(0, 6)]).toEqual([401, "Bearer"]);
  }
};

/** Where the gateway remembers an answer for 2 seconds: a wrong password that was asked about before is no known one. */
export const aWrongPasswordIsNeverKnown: Probe = async ({ door }) => {
  const [same, other] = [wrong(), wrong()];
  for (const guess of [same, other]) expect((await ask(door, "GET", "/v2/", [guess])).status).toBe(401);
  await exhaust(door);
  await new Promise((resolve) => setTimeout(resolve, 2500));
  for (const guess of [same, other]) expect((await ask(door, "GET", "/v2/", [guess])).status).toBe(429);
};

export const theLogHoldsNoCredentialAndNoQuery: Probe = async (site) => {
  const { door, log } = site;
  const mark = `mark-${++marks}`;
  await ask(door, "GET", `/v2/_catalog?n=1&query-${mark}`, [ANONYMOUS, `User-Agent: ${mark}`]);
  await ask(door, "GET", `${uploadState(site)}?query-${mark}`, [RIGHT, `User-Agent: ${mark}`]);
  await ask(door, "GET", `/auth/token?account=x&query-${mark}`, [RIGHT, `User-Agent: ${mark}`]);
  await ask(door, "GET", `/v2/?query-${mark}`, [wrong(), `User-Agent: ${mark}`]);
  const marked = async () => (await log()).split("\n").filter((line) => line.includes(mark));
  await vi.waitFor(async () => expect(await marked()).toHaveLength(4), { timeout: 5000 });
  const lines = await marked();
  expect(lines.filter((line) => line.includes(`"${USER}"`))).toHaveLength(2);
  expect(lines.join("\n")).not.toMatch(/query-|anonymous|Bearer|Basic|[A-Za-z0-9+/]{16,}=*"/);
};

/** Where the registry's place is taken by a mirror: what it is asked. */
export const theRegistryHearsTheGatewayAlone: Probe = async ({ door, image, machineAuthorization }) => {
  const disguise = ["Host: evil.example", ...EVIL, "Connection: close, X-Anything"];
  const expected = [
    `Host: ${door.authority}`,
    `X-Forwarded-Host: ${door.authority}`,
    "X-Forwarded-Proto: http",
  ];
  const read = await ask(door, "GET", `/v2/${image.repository}/tags/list`, [...disguise, ANONYMOUS]);
  const write = await ask(door, "PUT", `/v2/${image.repository}/manifests/x`, [...disguise, RIGHT], "{}");
  for (const { body } of [read, write]) {
    for (const line of expected) expect(body).toContain(`\n${line}`);
    expect(body).not.toMatch(/evil|gopher|203\.0\.113\.9|\nForwarded|\nConnection: [^k]/i);
    expect(body).toMatch(/\nX-Forwarded-For: [\d.]+(\n|$)/);
  }
  expect(read.body).not.toContain("Authorization");
  expect(write.body).toContain(`\nAuthorization: ${machineAuthorization}`);
  expect(write.body.match(/Authorization/g)).toHaveLength(1);
};

/** Where nothing is in the registry's place. */
export const aMissingRegistryIsSaidToBeMissing: Probe = async (site) => {
  const answer = await ask(site.door, "GET", manifest(site));
  expect(answer.status).toBe(503);
  expect(answer.body).toContain('"UNAVAILABLE"');
};

/** Where X-Forwarded-For is believed. */
const guessFrom = (door: Door, address: string) =>
  ask(door, "GET", "/v2/", [wrong(), `X-Forwarded-For: ${address}`]);

/** Where X-Forwarded-For is believed: one address does not take the turns of others; all of them together may. */
export const guessesOfEverybodyAreLimited: Probe = async ({ door }) => {
  const from = (address: string) => guessFrom(door, address);
  // From here on passwords are guessed, which the gateway notices within some seconds.
  await atOnce(50, (index) => from(`192.0.2.${index}`));
  await sleep((CHECK_LIMITS.calmSeconds + 1) * 1000);
  // Limits are counted when a request comes, answers take longer.
  const own = atOnce(40, () => from("198.51.100.1"));
  await sleep(400);
  expect((await from("198.51.100.2")).status).toBe(401);
  const refused = (await own).filter(({ status }) => status === 429);
  expect(refused.length).toBeGreaterThan(20);
  const all = await atOnce(45, (index) => from(`203.0.113.${index}`));
  const waiting = all.filter(({ status }) => status === 429);
  expect(waiting.length).toBeGreaterThan(20);
  for (const { body, headers } of waiting) {
    expect(body).toContain(BUSY);
    expect(Number(headers["retry-after"])).toBeGreaterThan(0);
  }
};

/** Where X-Forwarded-For is believed: as long as nobody guesses, many unknown credentials are checked, some from one network. */
export const whoComesBackAfterARollIsCheckedAtOnce: Probe = async ({ door }) => {
  const busy = (answers: Answer[]) => answers.filter(({ body }) => body.includes(BUSY)).length;
  const ofOne = await atOnce(105, () => guessFrom(door, "198.51.100.7"));
  // 60 have a place. 15 end at once, and 8 in each second that the sending takes. All networks together have 111.
  expect(busy(ofOne)).toBeGreaterThan(5);
  expect(busy(ofOne)).toBeLessThanOrEqual(45);
};

/** Where X-Forwarded-For is believed. */
export const aNetworkOfIpv6CountsAsOneAddress: Probe = async ({ door }) => {
  for (const [network, same, other] of [
    ["2001:db8:1:2::1", "2001:db8:1:2:aaaa:bbbb:cccc:dddd", "2001:db8:1:3::1"],
    ["2001:db8::1", "2001:db8::ffff:2:3:4", "2001:db8:0:1::1"],
  ] as const) {
    await exhaust(door, [`X-Forwarded-For: ${network}`]);
    expect((await guessFrom(door, same)).status, same).toBe(429);
    expect((await guessFrom(door, other)).status, other).toBe(401);
  }
};

/** What makes the registry answer something else than 401 does not make a guess free. */
export const guessesInAnyFormAreCounted: Probe = async ({ door }) => {
  await exhaust(door, ["Referer: \x1b"]);
};

/** Where a network has 6 places: who does not read what it asked for keeps other readers of its network out, and no writer. */
export const oneNetworkDoesNotTakeAllPlaces: Probe = async (site) => {
  const { door, image } = site;
  const layer = "large".repeat(4_000_000);
  const target = `${await startUpload(door, RIGHT, image.repository)}&digest=${digestOf(layer)}`;
  expect((await ask(door, "PUT", target, [RIGHT], layer)).status).toBe(201);
  const held = Array.from({ length: 6 }, () => connect(door.to).pause());
  try {
    for (const socket of held)
      socket.write(request(door, "GET", `/v2/${image.repository}/blobs/${digestOf(layer)}`));
    await sleep(1000);
    const answer = await ask(door, "GET", manifest(site), [OCI]);
    expect([answer.status, answer.headers["retry-after"]]).toEqual([503, "5"]);
    expect(answer.body).toContain("too many requests are in progress");
    expect((await ask(door, "GET", "/healthz")).status).toBe(200);
    await cancel(door, await startUpload(door, RIGHT, image.repository));
  } finally {
    for (const socket of held) socket.destroy();
  }
  const read = async () => expect((await ask(door, "GET", manifest(site), [OCI])).status).toBe(200);
  await vi.waitFor(read, { timeout: 10_000 });
};

/** Where X-Forwarded-For is believed. */
export const oneAddressIsNotRefusedForAnother: Probe = async ({ door }) => {
  await exhaust(door, ["X-Forwarded-For: 198.51.100.3"]);
  // Several, since the limit lets one more through every few seconds; one by one, since all addresses share the turns.
  for (let guess = 0; guess < 4; guess++) {
    const other = await ask(door, "GET", "/v2/", [wrong(), "X-Forwarded-For: 198.51.100.4"]);
    expect(other.status).toBe(401);
  }
};

/** A password that has not proved right lately waits its turn while its address has guessed too often. */
async function waitForStatus(door: Door, header: string, status: number): Promise<void> {
  for (let tries = 0; tries < 30; tries++) {
    if ((await ask(door, "GET", "/v2/", [header])).status === status) return;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  expect.fail(`no answer ${status} to this credential`);
}
