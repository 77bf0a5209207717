/** How often, and in which turn, the gateway asks about a password. */
import { describe, expect, test } from "vitest";
import { check, type Told } from "../../../src/services/gateway/program/checks.js";
import type { NginxRequest } from "../../../src/services/gateway/program/nginx.js";
import { gateway } from "../../../src/services/gateway/program/program.js";
import { Dictionary, inShort, NO_FILES, programOf, SECRET, settingsOf, standingClock } from "./standIn.js";

const { limits } = settingsOf({});
const [ANN, BOB] = [Buffer.from("ann:a").toString("base64"), Buffer.from("bob:a").toString("base64")];
const RIGHT: Told = { account: { user: "ann", groups: [] } };

/** Checks with a clock of their own. */
function checks(sleep?: () => Promise<void>) {
  const clock = standingClock();
  const shared = {
    memory: new Dictionary(clock.now),
    counts: new Dictionary(clock.now),
    ...clock,
    ...(sleep && { sleep }),
  };
  const log = { turns: [] as string[], asked: [] as string[] };
  const one = (
    credential: string,
    {
      network = "net",
      answer = { refusal: "wrong" } as Told,
      until,
    }: { network?: string; answer?: Told; until?: Promise<void> } = {},
  ) =>
    check(
      {
        ...shared,
        ask: async (lane) => {
          if (lane !== undefined) log.turns.push(lane);
          log.asked.push(credential);
          await until;
          return answer;
        },
      },
      limits,
      credential,
      network,
    );
  return { one, clock, log, memory: shared.memory };
}

describe("a password", () => {
  test.each([
    ["a right one", RIGHT],
    ["a wrong one", { refusal: "wrong" } as const],
    ["one of an account that Authelia denies", { refusal: "denied" } as const],
  ])("is asked about once in a while: %s", async (_, answer) => {
    const { one, clock, log } = checks();
    for (let times = 0; times < 3; times++) expect(await one("a", { answer })).toMatchObject(answer);
    expect(log.asked).toHaveLength(1);
    await clock.sleep(limits.remember * 1000);
    expect(await one("a", { answer: { refusal: "wrong" } })).toEqual({ refusal: "wrong" });
    expect(log.asked).toHaveLength(2);
  });

  test("that nobody could judge is asked about again", async () => {
    const { one, log } = checks();
    for (const refusal of ["unavailable", "silent", "unusable"] as const)
      expect(await one("a", { answer: { refusal } })).toEqual({ refusal });
    expect(log.asked).toHaveLength(3);
  });

  test("is asked about once, however many ask at the same time", async () => {
    const { one, log } = checks();
    const answers = await Promise.all(Array.from({ length: 20 }, () => one("a")));
    expect([new Set(answers.map((answer) => JSON.stringify(answer))).size, log.asked.length]).toEqual([1, 1]);
  });

  test("is told to come later where its check takes too long", async () => {
    const { one } = checks();
    let end = (): void => {};
    const until = new Promise<void>((resolve) => {
      end = resolve;
    });
    const first = one("a", { until });
    expect(await one("a")).toEqual({ refusal: "busy" });
    end();
    expect(await first).toEqual({ refusal: "wrong" });
  });

  test("that was right within a day waits for no turn and is not counted, also where it is wrong now", async () => {
    const { one, clock, log } = checks();
    await one("a", { answer: RIGHT });
    log.turns.length = 0;
    await clock.sleep(limits.remember * 1000);
    await one("a", { answer: RIGHT });
    await clock.sleep(limits.remember * 1000);
    expect(await one("a")).toEqual({ refusal: "wrong" });
    expect(log.turns).toEqual([]);
    await clock.sleep(limits.remember * 1000);
    await one("a");
    expect(log.turns).toEqual(["swift"]);
    const other = checks();
    await other.one("a", { answer: RIGHT });
    await other.clock.sleep(86_400_001);
    other.log.turns.length = 0;
    await other.one("a", { answer: RIGHT });
    expect(other.log.turns).toEqual(["swift"]);
  });

  test("waits with so many others at most, and with fewer of its network; who was right is not counted", async () => {
    const { one, clock } = checks();
    await one("known", { answer: RIGHT });
    await clock.sleep(limits.remember * 1000);
    let end = (): void => {};
    const until = new Promise<void>((resolve) => {
      end = resolve;
    });
    const { waiting, waitingOfNetwork } = limits;
    const held = Array.from({ length: waiting }, (_, index) =>
      one(`${index}`, { until, network: index < waitingOfNetwork ? "net" : `${index}`, answer: RIGHT }),
    );
    for (const network of ["net", "other"]) expect(await one("x", { network })).toEqual({ refusal: "busy" });
    expect(await one("known", { answer: RIGHT })).toMatchObject(RIGHT);
    end();
    expect(new Set((await Promise.all(held)).map((answer) => "account" in answer))).toEqual(new Set([true]));
    expect(await one("x", { answer: RIGHT })).toMatchObject(RIGHT);
    const crowd = checks();
    const few = Array.from({ length: waitingOfNetwork + 1 }, (_, index) =>
      crowd.one(`${index}`, { answer: RIGHT }),
    );
    expect((await Promise.all(few)).filter((answer) => "refusal" in answer)).toEqual([{ refusal: "busy" }]);
    expect(await crowd.one("x", { network: "other", answer: RIGHT })).toMatchObject(RIGHT);
  });

  test("that was right in several spellings is asked about in one at a time, and other users are not kept", async () => {
    const { one, clock, log } = checks();
    const spellings = ["ann:a", "ann:ab", "ann:abc"].map((text) => Buffer.from(text).toString("base64"));
    for (const spelling of [...spellings, BOB]) await one(spelling, { answer: RIGHT });
    await clock.sleep(limits.remember * 1000);
    log.asked.length = 0;
    let end = (): void => {};
    const until = new Promise<void>((resolve) => {
      end = resolve;
    });
    const first = one(spellings[0] ?? "", { answer: RIGHT, until });
    expect(await one(BOB, { answer: RIGHT })).toMatchObject(RIGHT);
    expect(await one(spellings[1] ?? "")).toEqual({ refusal: "busy" });
    expect(log.asked).toEqual([spellings[0], BOB]);
    end();
    expect(await first).toMatchObject(RIGHT);
    expect(await one(spellings[2] ?? "", { answer: RIGHT })).toMatchObject(RIGHT);
  });

  test("that was right lately has 150 requests wait for its check at most, and keeps nobody out", async () => {
    let end = (): void => {};
    const until = new Promise<void>((resolve) => {
      end = resolve;
    });
    const { one, clock } = checks(() => until);
    for (const name of [ANN, BOB]) await one(name, { answer: RIGHT });
    await clock.sleep(limits.remember * 1000);
    const held = Array.from({ length: 190 }, (_, index) =>
      one(ANN, { until, network: `${index}`, answer: RIGHT }),
    );
    for (const name of [BOB, "c"]) expect(await one(name, { answer: RIGHT })).toMatchObject(RIGHT);
    end();
    const refused = (await Promise.all(held)).filter((answer) => "refusal" in answer);
    expect(refused).toEqual(Array.from({ length: 40 }, () => ({ refusal: "busy" })));
  });

  test("that was right goes past the limit of its network", async () => {
    const { one, clock } = checks();
    await one("a", { answer: RIGHT });
    for (let guess = 0; guess < 12; guess++) await one(`${guess}`);
    await clock.sleep(limits.remember * 1000);
    expect(await one("a", { answer: RIGHT })).toMatchObject(RIGHT);
  });

  test("stands nowhere in the memory, and neither does its plain hash", async () => {
    const { one, memory } = checks();
    const [first, second] = [checks(), checks()];
    await one("YW5uOnNlY3JldA==");
    expect([...memory.entries].join()).not.toContain("YW5uOnNlY3JldA");
    for (const { one } of [first, second]) await one("a");
    const answers = [first, second].map(({ memory }) =>
      [...memory.entries.keys()].find((key) => key.startsWith("answer")),
    );
    expect(answers[0]).not.toBe(answers[1]);
  });
});

describe("guesses", () => {
  test("of a network are refused after ten, for a while, and no other network is", async () => {
    const { one, clock, log } = checks();
    for (let guess = 0; guess < 10; guess++) expect(await one(`${guess}`)).toEqual({ refusal: "wrong" });
    for (let guess = 10; guess < 20; guess++) expect(await one(`${guess}`)).toEqual({ refusal: "exhausted" });
    expect(log.asked).toHaveLength(10);
    expect(await one("other", { network: "other" })).toEqual({ refusal: "wrong" });
    // In a minute some come back.
    let more = 0;
    for (let second = 0; second < 600; second++) {
      await clock.sleep(1000);
      const answer = await one(`later ${second}`);
      if ("refusal" in answer && answer.refusal === "wrong") more++;
    }
    expect(more).toBeGreaterThan(60);
    expect(more).toBeLessThanOrEqual(90);
  });

  test("right passwords are none", async () => {
    const { one, log } = checks();
    for (let user = 0; user < 60; user++)
      expect(await one(`${user}`, { answer: RIGHT })).toMatchObject(RIGHT);
    expect(new Set(log.turns)).toEqual(new Set(["swift"]));
  });

  test("of everybody slow the checks down, until few come", async () => {
    const { one, clock, log } = checks();
    for (let guess = 0; guess < 35; guess++) await one(`${guess}`, { network: `${guess}` });
    expect(log.turns.slice(0, 30)).toEqual(Array(30).fill("swift"));
    expect(log.turns.slice(30)).toEqual(Array(5).fill("pace"));
    await clock.sleep(300_000);
    await one("later");
    expect(log.turns.at(-1)).toBe("swift");
  });

  test("that find no turn are told to come later, and count for nothing", async () => {
    const { one } = checks();
    for (const refusal of ["busy", "exhausted"] as const)
      for (let guess = 0; guess < 12; guess++)
        expect(await one(`${guess}`, { answer: { refusal } })).toEqual({ refusal });
    expect(await one("a", { answer: RIGHT })).toMatchObject(RIGHT);
  });

  test("that waited for a turn while others of their network were wrong are stopped there", async () => {
    const shared = { memory: new Dictionary(Date.now), counts: new Dictionary(Date.now), now: Date.now };
    const around = { ...shared, ...NO_FILES, secret: SECRET, sleep: async () => {} };
    const { turn } = gateway(settingsOf({}), around);
    const stopped = (network: string) => {
      let status: number | undefined;
      const request = {
        headersIn: { "X-Client-Network": network },
        return: (given: number) => (status = given),
      };
      turn(request as unknown as NginxRequest);
      return status;
    };
    expect(stopped("a")).toBeUndefined();
    for (let guess = 0; guess < 10; guess++)
      await check(
        { ...shared, sleep: async () => {}, ask: async () => ({ refusal: "wrong" }) },
        limits,
        `${guess}`,
        "a",
      );
    expect([stopped("a"), stopped("b")]).toEqual([429, undefined]);
  });

  test.each([
    [429, "429 too many wrong passwords from your address, wait a minute"],
    [529, "429 too many logins are being checked at the moment, try again in some seconds"],
    [400, "401 wrong user name or password for registry.a.example"],
    [404, "401 wrong user name or password for registry.a.example"],
    [431, "401 wrong user name or password for registry.a.example"],
    [500, "503 the registry does not answer, try again"],
    [502, "503 the registry does not answer, try again"],
  ])("are answered where the registry says %s: %s", async (status, expected) => {
    const program = programOf({}, () => ({ status }));
    expect(inShort(await program({ user: "ann", uri: "/v2/" }))).toBe(expected);
  });
});
