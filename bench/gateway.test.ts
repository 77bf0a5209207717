import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import bcrypt from "bcryptjs";
import { execa } from "execa";
import { test } from "vitest";
import { clientAddresses } from "../test/e2e/addresses.js";
import { type Blob, pull, push, putManifest, type Rate, randomBlob, rate } from "../test/e2e/load.js";
import { DEPLOY, writeConfig } from "../test/e2e/stack.js";
import { useSwarm } from "../test/e2e/swarm.js";
import { Workspace } from "../test/e2e/workspace.js";
import { basicValue } from "../test/support/basic.js";
import { ALONE, GUIDE, startNeighbours, stopNeighbours } from "./neighbours.js";

/** Prints what the gateway costs and what it saves; asserts nothing about time. Run with: npm run bench:gateway */

const USER = "smith";
const PASSWORD = "Anvil-and-hammer-7";
const AUTHORIZATION = { authorization: basicValue(USER, PASSWORD) };
const MEGABYTES = 500;
const ROUNDS = 5;
const LOAD = { connections: 32, seconds: 5 };
/** Users who prove right once, and log in again during each flood, from the first of its addresses. */
const USERS = Array.from({ length: 20 }, (_, index) => ({
  user: `smith-${index}`,
  password: `Anvil-${index}`,
}));
const FLOODS = 2;
const LOGINS_IN_A_FLOOD = 100;
/** Up to 200 guesses a second, from 51 addresses together. */
const ADDRESSES = 51;
const FLOOD = { pause: 255, seconds: 60 };

const FLOOD_PROGRAM = fileURLToPath(new URL("./flood.ts", import.meta.url));

const median = (values: number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
const medianRate = (rates: Rate[]): Rate =>
  [...rates].sort((a, b) => a.p50 - b.p50)[Math.floor(rates.length / 2)] as Rate;

const rows: string[] = [];
const row = (what: string, gateway: string, other: string, ratio: number, aim: string) =>
  rows.push(`| ${what} | ${gateway} | ${other} | ${ratio.toFixed(2)} | ${aim} |`);

test("gateway against its neighbours", { timeout: 1_200_000 }, async () => {
  const swarm = useSwarm();
  const forge = await Workspace.create("forge", 5000, 8080);
  try {
    await writeConfig(forge, swarm, { ui: { enabled: false } });
    await forge.hephaestus(["render"]);
    // People's passwords are hashed at cost 12 here, as by default.
    const env = {
      REGISTRY_HTPASSWD: [{ user: USER, password: PASSWORD }, ...USERS]
        .map(({ user, password }) => `${user}:${bcrypt.hashSync(password, 12)}\n`)
        .join(""),
      REGISTRY_USERNAME: USER,
      REGISTRY_RAW_PASSWORD: PASSWORD,
    };
    const run = await forge.hephaestus(DEPLOY, { env });
    if (run.exitCode !== 0) throw new Error(run.all);
    await startNeighbours(forge.folder, swarm, USER, PASSWORD);
    await throughput(forge.registryUrl);
    const ask = await manifests(forge.registryUrl);
    await guesses(ask, await clientAddresses(forge, ADDRESSES));
  } finally {
    await stopNeighbours();
    await forge.destroy();
  }
  const head = ["| | gateway | compared with | ratio | aim |", "| --- | --- | --- | --- | --- |"];
  console.log([`${cpus().length} cores, ${ROUNDS} rounds in turn, medians`, "", ...head, ...rows].join("\n"));
});

async function throughput(gateway: string): Promise<void> {
  const pushes: Record<string, number[]> = { [gateway]: [], [ALONE]: [] };
  const pulls: Record<string, number[]> = { [gateway]: [], [ALONE]: [] };
  for (let round = 0; round < ROUNDS; round++) {
    const layers: Blob[] = Array.from({ length: 5 }, () => randomBlob((MEGABYTES / 5) * 1_000_000));
    for (const registry of round % 2 === 0 ? [gateway, ALONE] : [ALONE, gateway]) {
      const headers = registry === gateway ? AUTHORIZATION : {};
      pushes[registry]?.push(MEGABYTES / (await push(registry, `bench/big${round}`, layers, headers)));
      pulls[registry]?.push(MEGABYTES / (await pull(registry, `bench/big${round}`, layers)));
    }
  }
  for (const [what, measured] of [
    ["push", pushes],
    ["pull", pulls],
  ] as const) {
    const [ours, alone] = [median(measured[gateway] ?? []), median(measured[ALONE] ?? [])];
    row(
      `${what} of ${MEGABYTES} MB`,
      `${ours.toFixed(0)} MB/s`,
      `registry alone: ${alone.toFixed(0)} MB/s`,
      ours / alone,
      "0.95",
    );
  }
}

async function manifests(gateway: string): Promise<() => Promise<Rate>> {
  const layer = [randomBlob(1000)];
  const accept = await putManifest(
    gateway,
    "bench/small",
    [...(await pushed(gateway, layer, AUTHORIZATION))],
    AUTHORIZATION,
  );
  await putManifest(ALONE, "bench/small", await pushed(ALONE, layer, {}), {});
  await putManifest(GUIDE, "bench/small", await pushed(GUIDE, layer, {}), {});
  const ask = (registry: string, headers: object = {}) =>
    rate(`${registry}/v2/bench/small/manifests/latest`, { accept, ...headers }, LOAD);

  const { headers } = await fetch(`${gateway}/v2/bench/small/manifests/latest`, { headers: { accept } });
  const digest = headers.get("docker-content-digest") ?? "";
  const byDigest = (registry: string) =>
    rate(`${registry}/v2/bench/small/manifests/${digest}`, { accept }, LOAD);

  const rates: Record<string, Rate[]> = {
    gateway: [],
    alone: [],
    guide: [],
    user: [],
    digest: [],
    pinned: [],
  };
  for (let round = 0; round < ROUNDS; round++) {
    rates.gateway?.push(await ask(gateway));
    rates.alone?.push(await ask(ALONE));
    rates.user?.push(await ask(gateway, AUTHORIZATION));
    rates.digest?.push(await byDigest(gateway));
    rates.pinned?.push(await byDigest(ALONE));
    if (round === 0) rates.guide?.push(await ask(GUIDE));
  }
  const [ours, alone, user] = ["gateway", "alone", "user"].map((name) => medianRate(rates[name] ?? [])) as [
    Rate,
    Rate,
    Rate,
  ];
  const guide = (rates.guide ?? [])[0] as Rate;
  const milliseconds = ({ p50, p99 }: Rate) => `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`;
  const perSecond = (measured: Rate) => `${measured.perSecond.toFixed(0)}/s`;
  row(
    "anonymous manifest, 32 connections",
    milliseconds(ours),
    `no auth: ${milliseconds(alone)}`,
    ours.p50 / alone.p50,
    "1.3 or less",
  );
  row("the same", perSecond(ours), `no auth: ${perSecond(alone)}`, ours.perSecond / alone.perSecond, "");
  row(
    "a logged-in user's manifest",
    perSecond(user),
    `no auth: ${perSecond(alone)}`,
    user.perSecond / alone.perSecond,
    "",
  );
  const [digests, pinned] = ["digest", "pinned"].map((name) => medianRate(rates[name] ?? [])) as [Rate, Rate];
  row(
    "anonymous manifest by digest",
    perSecond(digests),
    `no auth: ${perSecond(pinned)}`,
    digests.perSecond / pinned.perSecond,
    "more than 1",
  );
  row(
    "anonymous manifest",
    perSecond(ours),
    `guides' stack: ${guide.perSecond.toFixed(1)}/s`,
    ours.perSecond / guide.perSecond,
    "100",
  );

  return () => ask(gateway);
}

/** Anonymous reads, and logins of known users, while passwords are guessed. */
async function guesses(
  ask: () => Promise<Rate>,
  { url, addresses }: { url: string; addresses: string[] },
): Promise<void> {
  const [office = ""] = addresses;
  const login = ({ user, password }: (typeof USERS)[number]) => {
    const headers = { authorization: basicValue(user, password) };
    return rate(`${url}/auth/token`, headers, { connections: 1, seconds: 20, most: 1, localAddress: office });
  };
  const first = await Promise.all(USERS.slice(0, 14).map(login));
  const longest = Math.max(...first.map(({ p99 }) => p99)) / 1000;
  console.log(
    `14 first logins at once, cost 12: ${first.filter(({ failed }) => failed === 0).length} right, the last after ${longest.toFixed(1)} s`,
  );
  for (const user of USERS.slice(14)) await login(user);

  const calm: number[] = [];
  const harmless: number[] = [];
  const begin: number[] = [];
  const all: number[] = [];
  const logins: Rate[] = [];
  const start = (user: string, seconds: number) => {
    const args = [`${url}/auth/token`, user, String(seconds), String(FLOOD.pause), ...addresses];
    return execa(process.execPath, ["--import", "tsx", FLOOD_PROGRAM, ...args]);
  };
  for (let number = 1; number <= FLOODS; number++) {
    for (let quiet = 0; quiet < 3; quiet++) calm.push((await ask()).perSecond);
    const others = start("", 5 * LOAD.seconds);
    for (let count = 0; count < 4; count++) harmless.push((await ask()).perSecond);
    await others;
    const flood = start(USER, FLOOD.seconds);
    // The flood ends after the last of these.
    const measured: number[] = [];
    while (measured.length < FLOOD.seconds / LOAD.seconds - 2) measured.push((await ask()).perSecond);
    begin.push(measured[0] ?? 0);
    all.push(...measured);
    const each = Array.from({ length: LOGINS_IN_A_FLOOD }, (_, index) => USERS[index % USERS.length]);
    logins.push(...(await Promise.all(each.map((user) => login(user as (typeof USERS)[number])))));
    const { guesses, failed } = JSON.parse((await flood).stdout) as { guesses: number; failed: number };
    console.log(`flood ${number}: ${guesses} guesses, ${failed} of them neither 401 nor 429`);
  }
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  for (const [when, during, what, base, aim] of [
    [`its first ${LOAD.seconds} seconds`, begin, "without it", calm, ""],
    [`all its ${FLOOD.seconds} seconds`, all, "without it", calm, "0.85"],
    ["the same", all, "as many requests without a credential", harmless, "0.85"],
  ] as const) {
    row(
      `anonymous manifest during a flood of wrong passwords from ${ADDRESSES} addresses, ${when}`,
      `${mean(during).toFixed(0)}/s`,
      `${what}: ${mean(base).toFixed(0)}/s`,
      mean(during) / mean(base),
      aim,
    );
  }
  const right = logins.filter(({ failed }) => failed === 0).length;
  const slowest = Math.max(...logins.map(({ p99 }) => p99)) / 1000;
  row(
    "logins of known users during that flood, from one of its addresses",
    `${right} right, the slowest after ${slowest.toFixed(1)} s`,
    `of ${logins.length}`,
    right / logins.length,
    "1",
  );
}

async function pushed(registry: string, blobs: Blob[], headers: Record<string, string>): Promise<Blob[]> {
  await push(registry, "bench/small", blobs, headers);
  return blobs;
}
