/** Fuzzed requests of users with right passwords, judged by the model of the rules. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Image, pushImage } from "../attacks/image.js";
import { basic, type Door, request, talk } from "../attacks/raw.js";
import { OVERRIDES, SPELLINGS } from "../attacks/shapes.js";
import type { Target } from "../attacks/target.js";
import { SPICE, seeded } from "../intruder/fuzz.js";
import { type Caller, may, REPOSITORIES } from "./model.js";
import { credentialOf, PASSWORD, questions } from "./sweep.js";

export const FUZZED = Number(process.env.HEPHAESTUS_FUZZ ?? 20_000);

/** Four users: one of them without a login. */
const FUZZERS: readonly Caller[] = ["ci", "bob", "anna", undefined];
const WORKERS = 24;
const SILENCE_MS = 4000;

export interface FuzzResult {
  violations: string[];
  /** How often each status was answered. */
  statuses: Record<number, number>;
  /** Repositories that someone changed. */
  changed: string[];
}

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
    { method: "DELETE", target: `/v2/${image.repository}/manifests/${image.manifestDigest}` },
    { method: "DELETE", target: `/v2/${image.repository}/blobs/${image.blobDigest}` },
    { method: "GET", target: "/v2/_catalog?n=1000" },
  ];
  const question: { method: string; target: string; headers?: string[]; body?: string } =
    random() < 0.5 ? pick(questions(image)) : pick(writes);
  let { method, target } = question;
  if (random() < 0.3) target = pick(SPELLINGS)(target);
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

/** Everything that the storage holds for each repository, uploads left out. */
function contents(storage: string): Map<string, string> {
  const root = `${storage}/docker/registry/v2/repositories`;
  const found = new Map<string, string[]>();
  for (const name of readdirSync(root, { recursive: true, encoding: "utf8" }).sort()) {
    const [, repository, place] = /^(.*?)\/(_manifests|_layers)(?:\/|$)/.exec(name) ?? [];
    const path = join(root, name);
    if (repository === undefined || place === undefined || !statSync(path).isFile()) continue;
    found.set(repository, [...(found.get(repository) ?? []), `${name} ${readFileSync(path, "utf8")}`]);
  }
  const digest = (lines: string[]) => createHash("sha256").update(lines.join("\n")).digest("hex");
  return new Map([...found].map(([repository, lines]) => [repository, digest(lines)]));
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
        `layer of ${repository}\u0000`,
        manifestDigest,
        blobDigest,
      ].some((mark) => `${text}\u0000`.includes(mark)),
    )
    .map(({ repository }) => repository);
}

/** Puts everything back that users with rights removed or changed. */
async function restore(registry: Door, images: ReadonlyMap<string, Image>): Promise<void> {
  for (const repository of images.keys())
    await pushImage(registry, basic("ann", PASSWORD), repository, "latest");
}

export async function fuzzRules(
  target: Target,
  registry: Door,
  images: ReadonlyMap<string, Image>,
  seed: number,
): Promise<FuzzResult> {
  const random = seeded(seed);
  const result: FuzzResult = { violations: [], statuses: {}, changed: [] };
  for (const caller of FUZZERS) {
    await restore(registry, images);
    const before = contents(target.storage);
    let left = FUZZED / FUZZERS.length;
    const worker = async () => {
      while (left-- > 0) {
        const text = draw(caller, images, random);
        const answer = await talk(target.gateway, text, { silenceMs: SILENCE_MS });
        const [status = 0] = answer.statuses;
        result.statuses[status] = (result.statuses[status] ?? 0) + 1;
        const isEcho = /^(?:POST|PUT|PATCH|DELETE) /.test(text);
        for (const repository of isEcho ? [] : givenAway(answer.text, images))
          if (!may(caller, "pull", repository))
            result.violations.push(
              `${caller} read ${repository}: ${text.slice(0, 200)} -> ${answer.text.slice(0, 200)}`,
            );
      }
    };
    await Promise.all(Array.from({ length: WORKERS }, worker));
    const after = contents(target.storage);
    for (const repository of new Set([...before.keys(), ...after.keys()])) {
      if (before.get(repository) === after.get(repository)) continue;
      result.changed.push(`${caller}: ${repository}`);
      if (!may(caller, "push", repository) && !may(caller, "delete", repository))
        result.violations.push(`${caller} changed ${repository}`);
    }
  }
  return result;
}
