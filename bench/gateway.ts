/**
 * Prints what the gateway costs and what it saves; asserts nothing about time. Run with: npm run bench:gateway, or
 * with parts of it: npm run bench:gateway manifests transfers guesses rules
 */
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { push, putManifest, randomBlob } from "../test/e2e/load.js";
import { CONNECTIONS, gets, heads, processorSeconds, type Rate } from "./clients.js";
import {
  AUTHORIZATION,
  type Contestant,
  GUIDE,
  htpasswd,
  startOthers,
  startOurs,
  USER,
} from "./contestants.js";
import { pushAndPull, storm } from "./transfers.js";

const ROUNDS = Number(process.env.HEPHAESTUS_ROUNDS ?? 3);
const SECONDS = 3;
const ADDRESSES = Array.from({ length: 51 }, (_, index) => `127.200.0.${index + 1}`);
const FLOOD_SECONDS = 20;
const FLOOD_PAUSE = 255;
const FLOOD_PROGRAM = fileURLToPath(new URL("./flood.ts", import.meta.url));
const MANY_USERS = Array.from({ length: 50 }, (_, index) => `smith-${index}`);
const MANY_RULES = [
  ...Array.from({ length: 199 }, (_, index) => ({
    repositories: [`team-${index}/**`],
    pull: MANY_USERS.slice(index % 25, (index % 25) + 25),
  })),
  { repositories: ["bench/*"], pull: "anonymous", push: [USER] },
];

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** What was measured, by what it is and by whom: each round adds one. */
class Results {
  private readonly found = new Map<string, number[]>();

  add(what: string, who: string, value: number): void {
    const key = `${what}|${who}`;
    this.found.set(key, [...(this.found.get(key) ?? []), value]);
  }

  of(what: string, who: string): number {
    return median(this.found.get(`${what}|${who}`) ?? []);
  }
}

const results = new Results();
const rows: string[][] = [];

const shown = (value: number, unit = ""): string =>
  Number.isNaN(value) ? "" : `${value.toFixed(value < 10 ? 2 : 0)}${unit}`;

/** A row of the table, with ratios of the gateway's value. */
function row(what: string, unit: string, aim: string, ours = what, theirs = what): void {
  const of = (who: string, key = theirs) => results.of(key, who);
  const own = of("gateway", ours);
  const others = ["registry alone", "zot", GUIDE].map((who) => of(who));
  const [alone = Number.NaN, zot = Number.NaN] = others;
  rows.push([
    what,
    ...[own, ...others].map((value) => shown(value, unit)),
    ...[own / alone, own / zot].map((ratio) => (Number.isNaN(ratio) ? "" : ratio.toFixed(2))),
    aim,
  ]);
}

/** Puts a small image into a registry. @returns where it is, and what asks for it */
async function small({ url, headers }: Contestant) {
  const layer = [randomBlob(1000)];
  await push(url, "bench/small", layer, headers);
  const accept = await putManifest(url, "bench/small", layer, headers);
  const manifests = `${url}/v2/bench/small/manifests`;
  const answer = await fetch(`${manifests}/latest`, { headers: { accept } });
  return {
    tag: `${manifests}/latest`,
    digest: `${manifests}/${answer.headers.get("docker-content-digest")}`,
    accept: { Accept: accept },
  };
}

async function measure(
  what: string,
  { name, groups }: Contestant,
  ask: (seconds: number) => Promise<Rate>,
  seconds = SECONDS,
): Promise<void> {
  const before = await processorSeconds(groups);
  const { perSecond, p50, p99 } = await ask(seconds);
  const spent = (await processorSeconds(groups)) - before;
  results.add(what, name, perSecond);
  results.add(`${what}, p50`, name, p50);
  results.add(`${what}, p99`, name, p99);
  results.add(`${what}, processor`, name, (spent / (perSecond * seconds)) * 1e6);
}

async function manifests(contestants: readonly Contestant[]): Promise<void> {
  const places = await Promise.all(contestants.map(async (one) => ({ one, ...(await small(one)) })));
  for (let round = 0; round < ROUNDS; round++)
    for (const { one, tag, digest, accept } of round % 2 === 0 ? places : [...places].reverse()) {
      if (one.name === GUIDE) continue;
      await measure("tag", one, (seconds) => gets(tag, accept, seconds));
      await measure("digest", one, (seconds) => gets(digest, accept, seconds));
      await measure("HEAD of a tag", one, (seconds) => heads(tag, accept, seconds));
      if (one.name !== "gateway") continue;
      const login = { ...accept, Authorization: AUTHORIZATION };
      await measure("a user's tag, Basic", one, (seconds) => gets(tag, login, seconds));
      const given = await fetch(`${one.url}/auth/token?service=bench`, {
        headers: { authorization: AUTHORIZATION },
      });
      const { token } = (await given.json()) as { token: string };
      const bearer = { ...accept, Authorization: `Bearer ${token}` };
      await measure("a user's tag, Bearer", one, (seconds) => gets(tag, bearer, seconds));
    }
  // Each of its requests takes a quarter of a second of a processor, and goes on if nobody waits for it any more.
  for (const { one, tag, accept } of places.filter(({ one: { name } }) => name === GUIDE))
    await measure("tag", one, (seconds) => gets(tag, accept, seconds), 30);
  row("tag", "/s", "4; zot 1.5");
  row("digest", "/s", "4; zot 1.5");
  row("HEAD of a tag", "/s", "4; zot 1.5");
  row("a user's tag, Basic", "/s", "3", "a user's tag, Basic", "tag");
  row("a user's tag, Bearer", "/s", "3", "a user's tag, Bearer", "tag");
  for (const kind of ["tag", "digest", "HEAD of a tag"]) {
    row(`${kind}, p50`, " ms", "");
    row(`${kind}, p99`, " ms", "1 or less");
    row(`${kind}, processor`, " us", "");
  }
  for (const how of ["Basic", "Bearer"]) {
    const what = `a user's tag, ${how}`;
    row(`${what}, p99`, " ms", "1 or less", `${what}, p99`, "tag, p99");
    row(`${what}, processor`, " us", "", `${what}, processor`, "tag, processor");
  }
}

async function transfers(contestants: readonly Contestant[], folder: string): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    const order = round % 2 === 0 ? contestants : [...contestants].reverse();
    await pushAndPull(order, `${folder}/layers`, round, ({ name }, what, { seconds, processor }) => {
      results.add(`${what} of 500 MB`, name, 500 / seconds);
      results.add(`${what} of 500 MB, processor`, name, processor);
    });
    await storm(order, `${folder}/layers`, round, ({ name }, { seconds, processor }) => {
      results.add("100 clients pull 40 MB", name, seconds);
      results.add("100 clients pull 40 MB, processor", name, processor);
    });
  }
  row("push of 500 MB", " MB/s", "0.95");
  row("push of 500 MB, processor", " s", "");
  row("pull of 500 MB", " MB/s", "1");
  row("pull of 500 MB, processor", " s", "0.5 or less");
  row("100 clients pull 40 MB", " s", "1 or less");
  row("100 clients pull 40 MB, processor", " s", "0.5 or less");
}

/** Reads while passwords are guessed, against reads during as many requests that guess nothing. */
async function guesses(ours: Contestant): Promise<void> {
  const { tag, accept } = await small(ours);
  const calm: number[] = [];
  const during: Record<string, number[]> = { nobody: [], guesser: [] };
  for (const who of ["nobody", "guesser"] as const) {
    calm.push((await gets(tag, accept, SECONDS)).perSecond);
    const user = who === "nobody" ? "" : USER;
    const args = [`${ours.url}/auth/token`, user, `${FLOOD_SECONDS}`, `${FLOOD_PAUSE}`, ...ADDRESSES];
    const flood = execa(process.execPath, ["--import", "tsx", FLOOD_PROGRAM, ...args]);
    const end = performance.now() + (FLOOD_SECONDS - SECONDS) * 1000;
    while (performance.now() < end) during[who]?.push((await gets(tag, accept, SECONDS)).perSecond);
    const { guesses: sent, failed } = JSON.parse((await flood).stdout) as { guesses: number; failed: number };
    console.log(
      `${who}: ${sent} requests in ${FLOOD_SECONDS} s, ${failed} with another answer than 200, 401, 429`,
    );
  }
  const [quiet, harmless, flooded] = [calm, during.nobody ?? [], during.guesser ?? []].map(median);
  console.log(
    `tag: ${shown(quiet ?? 0, "/s")}; during as many requests without a password ${shown(harmless ?? 0, "/s")}; ` +
      `during guesses from ${ADDRESSES.length} addresses ${shown(flooded ?? 0, "/s")}, ratio ${((flooded ?? 0) / (harmless ?? 1)).toFixed(2)} (aim: 0.85)`,
  );
}

/** A gateway with 200 rules against one without: the repository matches the last rule. */
async function rules(without: Contestant, withRules: Contestant): Promise<void> {
  const places = await Promise.all(
    [withRules, without].map(async (one, index) => ({
      name: index === 0 ? "with" : "without",
      ...(await small(one)),
    })),
  );
  const login = { Authorization: AUTHORIZATION };
  for (let round = 0; round < ROUNDS; round++)
    for (const { name, tag, digest, accept } of round % 2 === 0 ? places : [...places].reverse())
      for (const [what, url, headers] of [
        ["tag", tag, accept],
        ["digest", digest, accept],
        ["a user's tag", tag, { ...accept, ...login }],
      ] as const)
        results.add(`rules, ${what}`, name, (await gets(url, headers, SECONDS)).p50);
  console.log("\n| p50 | 200 rules | no rules | ratio | aim |\n| --- | --- | --- | --- | --- |");
  for (const what of ["tag", "digest", "a user's tag"]) {
    const [with200, none] = ["with", "without"].map((who) => results.of(`rules, ${what}`, who)) as [
      number,
      number,
    ];
    console.log(
      `| ${what} | ${shown(with200, " ms")} | ${shown(none, " ms")} | ${(with200 / none).toFixed(2)} | 1.1 or less |`,
    );
  }
}

// The registries collect as in a stack, not as seldom as in the tests, and send no traces to anybody.
process.env.GOGC = "100";
process.env.OTEL_TRACES_EXPORTER = "none";
const parts = process.argv.slice(2);
const isWanted = (part: string): boolean => parts.length === 0 || parts.includes(part);
const { stack, ours } = await startOurs({}, htpasswd());
const ruled = isWanted("rules")
  ? await startOurs({ access: MANY_RULES }, htpasswd(...MANY_USERS))
  : undefined;
try {
  if (isWanted("manifests") || isWanted("transfers")) {
    const contestants = [ours, ...(await startOthers(stack))];
    if (isWanted("manifests")) await manifests(contestants);
    if (isWanted("transfers"))
      await transfers(
        contestants.filter(({ name }) => name !== GUIDE),
        stack.folder,
      );
    console.log(
      `${cpus().length} cores, ${ROUNDS} rounds in turn, medians, ${CONNECTIONS} connections, no access logs\n`,
    );
    const head = ["", "gateway", "registry alone", "zot", GUIDE, "of the registry", "of zot", "aim"];
    for (const cells of [head, head.map(() => "---"), ...rows]) console.log(`| ${cells.join(" | ")} |`);
    console.log();
  }
  if (ruled) await rules(ours, ruled.ours);
  if (isWanted("guesses")) await guesses(ours);
} finally {
  await ruled?.stack.stop();
  await stack.stop();
}
