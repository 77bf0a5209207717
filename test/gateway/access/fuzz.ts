/** Fuzzed requests of users with right passwords, judged by the model of the rules. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { digestOf, type Image, pushImage, putManifest } from "../../e2e/attacks/image.js";
import { basic, type Door, request, type Talk, talk } from "../../e2e/attacks/raw.js";
import { OVERRIDES, SPELLINGS } from "../../e2e/attacks/shapes.js";
import { SPICE, seeded } from "../../e2e/intruder/fuzz.js";
import { type Caller, isImmutable, may, REPOSITORIES } from "./model.js";
import { credentialOf, PASSWORD, questions } from "./sweep.js";

export const FUZZED = Number(process.env.HEPHAESTUS_FUZZ ?? 10_000);

/**
 * Some users, one of them without a login. Who may more comes later: a layer that one takes over to where everybody pulls is no
 * secret for the next.
 */
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

const statusOf = ({ statuses }: Talk): number => statuses.find((status) => status >= 200) ?? 0;

const isFault = (status: number): boolean => status === 0 || status >= 500;

/** Once more: while a tag is written, the registry cannot read it for a moment. */
async function afterWrites(send: () => Promise<Talk>): Promise<Talk> {
  for (let tries = 0; tries < 20; tries++) {
    await sleep(100);
    const answer = await send();
    if (statusOf(answer) < 500) return answer;
  }
  return send();
}

/** Another manifest with the same layers. */
const variant = ({ manifest }: Image): string => manifest.replace("{", '{"annotations":{"a":"b"},');

/** Queries that look like a path. */
const QUERIES = ["?x=/v2/other/manifests/latest", "?/manifests/", "?a=/tags/list", "?/blobs/uploads/x"];

/** One raw request, often spelled in another way. */
function draw(caller: Caller, images: ReadonlyMap<string, Image>, random: () => number): string {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const image = images.get(pick(REPOSITORIES)) as Image;
  const other = images.get(pick(REPOSITORIES)) as Image;
  const writes = [
    { method: "POST", target: `/v2/${image.repository}/blobs/uploads/` },
    {
      method: "POST",
      target: `/v2/${image.repository}/blobs/uploads/?mount=${other.blobDigest}&from=${other.repository}`,
    },
    { method: "PUT", target: `/v2/${image.repository}/manifests/v1`, body: other.manifest },
    { method: "PUT", target: `/v2/${image.repository}/manifests/latest`, body: image.manifest },
    { method: "PUT", target: `/v2/${image.repository}/manifests/v1`, body: variant(image) },
    { method: "DELETE", target: `/v2/${image.repository}/manifests/${image.manifestDigest}` },
    { method: "DELETE", target: `/v2/${image.repository}/blobs/${image.blobDigest}` },
    { method: "GET", target: "/v2/_catalog?n=1000" },
  ];
  const question: { method: string; target: string; headers?: string[]; body?: string } =
    random() < 0.5 ? pick(questions(image)) : pick(writes);
  let { method, target } = question;
  if (random() < 0.3) target = pick(SPELLINGS)(target);
  if (random() < 0.2) target += pick(QUERIES);
  if (random() < 0.1) method = pick(["GET", "PUT", "POST", "DELETE", "PATCH", "get", "OPTIONS"]);
  for (let changes = random() < 0.4 ? 1 + Math.floor(random() * 2) : 0; changes > 0; changes--) {
    const at = Math.floor(random() * target.length);
    const kind = random();
    if (kind < 0.5) target = target.slice(0, at) + pick(SPICE) + target.slice(at);
    else if (kind < 0.75) target = target.slice(0, at) + target.slice(at + 1 + Math.floor(random() * 3));
    else target = target.slice(0, at) + target.slice(at, at + 9) + target.slice(at);
  }
  const disguise = random() < 0.2 ? pick(OVERRIDES) : [];
  const type =
    (question.body ?? "") === "" ? [] : ["Content-Type: application/vnd.oci.image.manifest.v1+json"];
  const headers = [...credentialOf(caller), ...(question.headers ?? []), ...type, ...disguise];
  return request({ authority: "localhost" }, method, target, headers, question.body);
}

/** Everything that the storage holds for each repository, uploads left out; and where its immutable tag v1 points. */
function contents(storage: string): Map<string, { all: string; kept: string }> {
  const root = `${storage}/docker/registry/v2/repositories`;
  const found = new Map<string, string[]>();
  for (const name of readdirSync(root, { recursive: true, encoding: "utf8" }).sort()) {
    const [, repository, place] = /^(.*?)\/(_manifests|_layers)(?:\/|$)/.exec(name) ?? [];
    const path = join(root, name);
    if (repository === undefined || place === undefined || !statSync(path).isFile()) continue;
    found.set(repository, [...(found.get(repository) ?? []), `${name} ${readFileSync(path, "utf8")}`]);
  }
  return new Map(
    [...found].map(([repository, lines]) => [
      repository,
      {
        all: digestOf(lines.join("\n")),
        kept: lines.filter((line) => line.includes("/tags/v1/current/link ")).join(),
      },
    ]),
  );
}

/** The repository whose layer an answer says was taken over from elsewhere. */
function takenOver(request: string, answer: string, images: ReadonlyMap<string, Image>): string | undefined {
  if (!request.startsWith("POST ") || !/^HTTP\/1\.1 201 /.test(answer)) return undefined;
  return [...images.values()].find(({ blobDigest }) => answer.includes(blobDigest))?.repository;
}

/** Repositories of which an answer gives away content, beside those that the request names. */
function givenAway(text: string, images: ReadonlyMap<string, Image>): string[] {
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1] ?? 0);
  if (status < 200 || status > 299) return [];
  return [...images.values()]
    .filter(({ repository, manifestDigest, blobDigest }) =>
      [
        `"name":"${repository}"`,
        `"${repository}"`,
        `layer of ${repository} `,
        manifestDigest,
        blobDigest,
      ].some((mark) => text.includes(mark)),
    )
    .map(({ repository }) => repository);
}

/** Puts images of some repositories where they belong, with a layer of their own. */
async function fill(
  registry: Door,
  repositories: readonly string[],
  more: string,
): Promise<[string, Image][]> {
  const filled: [string, Image][] = [];
  for (const repository of repositories) {
    const image = await pushImage(registry, basic("ann", PASSWORD), repository, "latest", more);
    await putManifest(registry, basic("ann", PASSWORD), image, "v1");
    filled.push([repository, image]);
  }
  return filled;
}

/**
 * Sends requests of each fuzzer to a gateway.
 *
 * @param storage the registry's folder
 * @param gateway where rules are judged; `registry` is where everything may be written
 * @param seed of the requests, and of layers that nobody took over before
 * @param most how many requests
 * @param only the one fuzzer whose first violation is all that is wanted; else all of them send
 */
export async function fuzzRules(
  storage: string,
  { gateway, registry }: { gateway: Door; registry: Door },
  seed: number,
  most: number,
  only?: { fuzzer: Caller },
): Promise<FuzzResult> {
  const random = seeded(seed);
  const result: FuzzResult = { violations: [], faults: [], statuses: {}, changed: [], sent: 0 };
  const isOver = () => only !== undefined && result.violations.length > 0;
  const more = ` ${seed}`;
  const images = new Map(await fill(registry, REPOSITORIES, more));
  const fuzzers = only ? [only.fuzzer] : FUZZERS;
  for (const caller of fuzzers) {
    const before = contents(storage);
    let left = Math.floor(most / fuzzers.length);
    const worker = async () => {
      while (left-- > 0 && !isOver()) {
        result.sent++;
        const text = draw(caller, images, random);
        const send = () => talk(gateway, text, { silenceMs: SILENCE_MS, once: true });
        const answer = await send();
        const status = statusOf(answer);
        result.statuses[status] = (result.statuses[status] ?? 0) + 1;
        if (isFault(status) && isFault(statusOf(await afterWrites(send))))
          result.faults.push(`${text.slice(0, 200)} -> ${answer.text.slice(0, 300)}`);
        const taken = takenOver(text, answer.text, images);
        const isEcho = /^(?:POST|PUT|PATCH|DELETE) /.test(text);
        const read = [
          ...(isEcho ? [] : givenAway(answer.text, images)),
          ...(taken === undefined ? [] : [taken]),
        ];
        for (const repository of read)
          if (!may(caller, "pull", repository))
            result.violations.push(
              `request ${result.sent}: ${caller} read ${repository}: ${text.slice(0, 200)} -> ${answer.text.slice(0, 200)}`,
            );
      }
    };
    await Promise.all(Array.from({ length: WORKERS }, worker));
    const after = contents(storage);
    const changed: string[] = [];
    for (const repository of new Set([...before.keys(), ...after.keys()])) {
      const [old, now] = [before.get(repository), after.get(repository)];
      if (old?.all === now?.all) continue;
      changed.push(repository);
      result.changed.push(`${caller}: ${repository}`);
      if (!may(caller, "push", repository) && !may(caller, "delete", repository))
        result.violations.push(`${caller} changed ${repository}`);
      if (isImmutable(repository, "v1") && old !== undefined && old.kept !== "" && old.kept !== now?.kept)
        result.violations.push(`${caller} changed the immutable tag v1 of ${repository}`);
    }
    // The next one finds everything as it was.
    if (caller !== fuzzers.at(-1))
      await fill(
        registry,
        changed.filter((repository) => images.has(repository)),
        more,
      );
  }
  return result;
}
