/** Fuzzed requests of users and of nobody, judged by the model of the rules: by what they read, change and are told. */
import { setTimeout as sleep } from "node:timers/promises";
import { digestOf, type Image, pushImage, putManifest } from "../../e2e/attacks/image.js";
import { ask, basic, type Endpoint, type Talk, talk } from "../../e2e/attacks/raw.js";
import { seeded } from "../../e2e/intruder/fuzz.js";
import { type Drawn, draw, type World } from "./fuzzRequests.js";
import { type Change, type Contents, changes, contents, holders } from "./fuzzStorage.js";
import { type Caller, isImmutable, may, type Permission, REPOSITORIES } from "./model.js";
import { credentialOf, PASSWORD } from "./sweep.js";

/** Another one sends other requests: HEPHAESTUS_SEED=1 npm run test:gateway */
export const SEED = Number(process.env.HEPHAESTUS_SEED ?? 3);
/** A whole night of it: HEPHAESTUS_FUZZ=200000 npm run test:gateway access */
export const FUZZED = Number(process.env.HEPHAESTUS_FUZZ ?? 10_000);

const FUZZERS: readonly Caller[] = [
  undefined,
  "HEPHAESTUS.TEMPORARY",
  "anna",
  "ANN",
  "crew",
  "kim",
  "bob",
  "ci",
];
const WORKERS = 24;
/** Longer than a busy machine takes: where nothing comes, that is a fault. */
const SILENCE_MS = 20_000;
/** After so many requests, everything is pushed anew with other content. */
const ROUND = 10_000;
/** How many tokens and uploads are kept for later requests. */
const KEPT = 8;
/** Answers to somebody who may not do what a request asks for. All others tell what is there. */
const REFUSALS = [400, 401, 403, 429];

export interface FuzzResult {
  violations: string[];
  /** Requests without an answer, and errors of the server. */
  faults: string[];
  /** How often each status was answered. */
  statuses: Record<number, number>;
  /** Repositories that someone changed. */
  changed: string[];
  /** How many requests were sent; until the first violation where that is all that is wanted. */
  sent: number;
}

export interface Fuzzed extends Pick<World, "inside" | "untimely"> {
  /** The registry's folder. */
  storage: string;
  /** Where rules are judged. */
  gateway: Endpoint;
  /** Where everything may be written. */
  registry: Endpoint;
  /** What stands in no answer. */
  secrets: readonly string[];
}

const statusOf = ({ statuses }: Talk): number => statuses.find((status) => status >= 200) ?? 0;

/** No answer, or an error of the server. What is no HTTP/1.1 gets a body alone, or 505. */
const isFault = (answer: Talk): boolean =>
  answer.text === "" || (statusOf(answer) >= 500 && statusOf(answer) !== 505);

/** Once more: while a tag is written, the registry cannot read it for a moment. */
async function afterWrites(send: () => Promise<Talk>): Promise<Talk> {
  for (let tries = 0; tries < 20; tries++) {
    await sleep(100);
    const answer = await send();
    if (!isFault(answer)) return answer;
  }
  return send();
}

/** What stands in the layer and the manifest of a repository, and nowhere else, so often that a part of them has it too. */
const marker = (repository: string, seed: number): string =>
  digestOf(`${seed} ${repository}`).slice("sha256:".length, "sha256:".length + 12);

/** Puts images of some repositories where they belong, each with its marker. */
async function fill(
  registry: Endpoint,
  repositories: readonly string[],
  seed: number,
): Promise<[string, Image][]> {
  const filled: [string, Image][] = [];
  for (const repository of repositories) {
    const more = ` ${marker(repository, seed)}`.repeat(8);
    const image = await pushImage(registry, basic("ann", PASSWORD), repository, "latest", more);
    await putManifest(registry, basic("ann", PASSWORD), image, "v1");
    filled.push([repository, image]);
  }
  return filled;
}

/** The token that somebody gets for a password. */
async function tokenOf(gateway: Endpoint, caller: Caller): Promise<string> {
  const { body } = await ask(gateway, "GET", "/auth/token?service=localhost", credentialOf(caller));
  return (JSON.parse(body) as { token: string }).token;
}

/** The repositories of which an answer tells what the request does not have. */
function toldOf({ text }: Drawn, answer: Talk, images: ReadonlyMap<string, Image>, seed: number): string[] {
  const asked = decodeURIComponent(text.replaceAll(/%(?![0-9a-f]{2})|%[89a-f]./gi, "")).toLowerCase();
  const isRead = /^(?:GET|HEAD) /i.test(text) && Math.floor(statusOf(answer) / 100) === 2;
  return [...images.values()]
    .filter(({ repository, manifestDigest, blobDigest }) => {
      const marks = [
        [`"${repository}"`, repository],
        [`last=${encodeURIComponent(repository)}`, repository],
        [manifestDigest, manifestDigest],
        [blobDigest, blobDigest],
      ] as const;
      return (
        answer.text.includes(marker(repository, seed)) ||
        // What a request names may stand in a refusal. A read that is answered tells that it is there.
        marks.some(([mark, name]) => answer.text.includes(mark) && (isRead || !asked.includes(name)))
      );
    })
    .map(({ repository }) => repository);
}

/** The repository whose layer an answer says was taken over from elsewhere. */
function takenOver(request: string, answer: string, images: ReadonlyMap<string, Image>): string | undefined {
  if (!request.startsWith("POST ") || !/^HTTP\/1\.1 201 /.test(answer)) return undefined;
  return [...images.values()].find(({ blobDigest }) => answer.includes(blobDigest))?.repository;
}

/** What is wrong with the changes that one made. */
function wrongChanges(caller: Caller, made: readonly Change[], before: Contents): string[] {
  const mayNot = (permission: Permission, repository: string): boolean =>
    repository === "" || !may(caller, permission, repository);
  return made.flatMap(({ repository, written, gone }) => [
    ...(written.length > 0 && mayNot("push", repository)
      ? [`${caller} wrote ${repository}: ${written}`]
      : []),
    ...(gone.length > 0 && mayNot("delete", repository)
      ? [`${caller} deleted of ${repository}: ${gone}`]
      : []),
    ...[...written, ...gone]
      .map((name) => /^_manifests\/tags\/([^/]+)\/current\/link$/.exec(name))
      .filter((tag) => tag && before.get(repository)?.has(tag[0]) && isImmutable(repository, tag[1] ?? ""))
      .map((tag) => `${caller} changed the immutable tag ${tag?.[1]} of ${repository}`),
  ]);
}

/**
 * Sends requests of each fuzzer to a gateway.
 *
 * @param seed of the requests, and of layers that nobody took over before
 * @param most how many requests
 * @param only the one fuzzer whose first violation is all that is wanted; else all of them send
 */
export async function fuzzRules(
  { storage, gateway, registry, inside, untimely, secrets }: Fuzzed,
  seed: number,
  most: number,
  only?: { fuzzer: Caller },
): Promise<FuzzResult> {
  const random = seeded(seed);
  const result: FuzzResult = { violations: [], faults: [], statuses: {}, changed: [], sent: 0 };
  const isOver = () => result.violations.length > (only ? 0 : 20);
  const fuzzers = only ? [only.fuzzer] : FUZZERS;
  const tokens = new Map<Caller, string>();
  for (const caller of FUZZERS)
    if (caller !== "HEPHAESTUS.TEMPORARY") tokens.set(caller, await tokenOf(gateway, caller));
  const uploads: string[] = [];
  const keep = (list: string[], text: string): void => {
    list[list.length < KEPT ? list.length : Math.floor(random() * KEPT)] = text;
  };

  /** One user's turn: nobody else sends anything meanwhile, so that all changes are theirs. */
  async function turn(
    caller: Caller,
    count: number,
    round: number,
    images: Map<string, Image>,
  ): Promise<void> {
    const before = contents(storage);
    const held = holders(before);
    const mayRead = ({ repository, blobDigest, manifestDigest }: Image): boolean =>
      [
        repository,
        ...[blobDigest, manifestDigest].flatMap((digest) => [...(held.get(digest.slice(7)) ?? [])]),
      ].some((holder) => may(caller, "pull", holder));
    const token = tokens.get(caller);
    const own: World["own"] = { tokens: token === undefined ? [] : [token], uploads };
    const world: World = { random, images, tokens, own, inside, untimely };
    let left = count;

    async function one(): Promise<void> {
      result.sent++;
      const number = result.sent;
      const drawn = draw(world, caller);
      const { text, asks } = drawn;
      const send = () => talk(gateway, text, { silenceMs: SILENCE_MS, once: true });
      const answer = await send();
      const status = statusOf(answer);
      result.statuses[status] = (result.statuses[status] ?? 0) + 1;
      const report = (what: string) =>
        `request ${number} of ${caller} ${what}: ${JSON.stringify(text)} -> ${JSON.stringify(answer.text.slice(0, 400))}`;
      const found = (what: string) => result.violations.push(report(what));
      if (isFault(answer) && isFault(await afterWrites(send))) result.faults.push(report("failed"));
      const taken = takenOver(text, answer.text, images);
      for (const repository of [
        ...toldOf(drawn, answer, images, round),
        ...(taken === undefined ? [] : [taken]),
      ])
        if (!mayRead(images.get(repository) as Image)) found(`read ${repository}`);
      if (
        asks &&
        !isFault(answer) &&
        !REFUSALS.includes(status) &&
        !may(caller, asks.permission, asks.repository)
      )
        found(`may not ${asks.permission} ${asks.repository}`);
      if (secrets.some((secret) => answer.text.includes(secret))) found("was told a secret");
      const given = /"token":\s?"([^"]+)"/.exec(answer.text)?.[1];
      if (status === 200 && given !== undefined) keep(own.tokens, given);
      const place = /\r\nlocation: https?:\/\/[^/]+(\/v2\/\S+\/blobs\/uploads\/\S+)/i.exec(answer.text)?.[1];
      if (status === 202 && place !== undefined) keep(uploads, place);
    }

    const worker = async () => {
      while (left-- > 0 && !isOver()) await one();
    };
    await Promise.all(Array.from({ length: WORKERS }, worker));
    const after = contents(storage);
    const heldNow = holders(after);
    const made = changes(before, after);
    result.changed.push(...made.map(({ repository }) => `${caller}: ${repository}`));
    result.violations.push(...wrongChanges(caller, made, before));
    for (const image of images.values())
      for (const digest of [image.blobDigest, image.manifestDigest])
        for (const repository of heldNow.get(digest.slice(7)) ?? [])
          if (!held.get(digest.slice(7))?.has(repository) && !mayRead(image))
            result.violations.push(`${caller} took ${image.repository} over to ${repository}`);
    // The next one finds everything as it was.
    const touched = made.map(({ repository }) => repository).filter((repository) => images.has(repository));
    if (caller !== fuzzers.at(-1)) await fill(registry, touched, round);
  }

  for (let round = seed; result.sent < most && !isOver(); round += 1000) {
    const images = new Map(await fill(registry, REPOSITORIES, round));
    const count = Math.ceil(Math.min(ROUND, most - result.sent) / fuzzers.length);
    for (const caller of fuzzers) await turn(caller, count, round, images);
  }
  return result;
}
