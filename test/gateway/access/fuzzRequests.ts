/** The requests that the fuzzer sends: known ones of the API, in other words, for other repositories, with other credentials. */
import { digestOf, type Image, MANIFEST_TYPE } from "../../e2e/attacks/image.js";
import { basic, request } from "../../e2e/attacks/raw.js";
import { OVERRIDES, SPELLINGS } from "../../e2e/attacks/shapes.js";
import { SPICE } from "../../e2e/intruder/fuzz.js";
import { type Caller, type Permission, REPOSITORIES } from "./model.js";
import { credentialOf, INDEX_TYPE, PASSWORD, questions } from "./sweep.js";

/** What a request is drawn from. */
export interface World {
  random: () => number;
  images: ReadonlyMap<string, Image>;
  /** A token of everyone, to make forged ones of. */
  tokens: ReadonlyMap<Caller, string>;
  /** What the one who sends was given: tokens, and the places of uploads that anyone started. */
  own: { tokens: string[]; uploads: string[] };
  /** A token that the gateway has signed, and that is too old or from the future. */
  untimely: (user: string) => string;
  /** The places of the gateway's config that are only for itself. */
  inside: readonly string[];
}

export interface Drawn {
  text: string;
  /** What the request asks for, if it is written as the specification has it. */
  asks?: { permission: Permission; repository: string };
}

interface Shape {
  permission?: Permission | undefined;
  method: string;
  target: string;
  headers?: string[];
  body?: string;
}

/** Another manifest with the same layers. */
const variant = ({ manifest }: Image): string => manifest.replace("{", '{"subject":null,');

/** Queries that look like a path, and those that servers know. */
const QUERIES = [
  ...["?x=/v2/other/manifests/latest", "?/manifests/", "?a=/tags/list", "?/blobs/uploads/x"],
  ...["?n=1000", "?n=1&last=team-a", "?ns=docker.io", "?tag=v1", "?digest=x", "?", "?#"],
];
const METHODS = [
  "GET",
  "HEAD",
  "PUT",
  "POST",
  "DELETE",
  "PATCH",
  "get",
  "Head",
  "OPTIONS",
  "TRACE",
  "COPY",
  "X",
];
const ACCEPTED = [
  MANIFEST_TYPE,
  INDEX_TYPE,
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.docker.distribution.manifest.v1+prettyjws",
  `${MANIFEST_TYPE};q=0.1, */*`,
  "*/*",
  "text/html",
  "",
];

/** What a client adds to a read. */
function readHeaders({ random }: World, { manifestDigest, blobDigest }: Image): string[] {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const range = ["0-", "5-30", "-20", "0-0,2-40", "9999999-", "x"];
  const tag = [`"${manifestDigest}"`, `W/"${blobDigest}"`, manifestDigest, "*", '"x"'];
  const some: [string, readonly string[]][] = [
    ["Accept", ACCEPTED],
    ["Range", range.map((one) => `bytes=${one}`)],
    ["If-None-Match", tag],
    ["If-Match", tag],
    ["If-Range", tag],
    ["If-Modified-Since", ["Thu, 01 Jan 2026 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"]],
    ["Accept-Encoding", ["gzip", "identity;q=0"]],
  ];
  return some
    .filter(([name]) => random() < (name === "Accept" ? 0.4 : 0.1))
    .map(([name, values]) => `${name}: ${pick(values)}`);
}

/** Writes, and reads of what belongs to another repository. */
function shapes(world: World, image: Image, other: Image): Shape[] {
  const base = `/v2/${image.repository}`;
  const { random, own, inside } = world;
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const put = (reference: string, body: string, type = MANIFEST_TYPE): Shape => ({
    permission: "push",
    method: "PUT",
    target: `${base}/manifests/${reference}`,
    headers: [`Content-Type: ${type}`],
    body,
  });
  const push = (method: string, target: string, body = ""): Shape => ({
    permission: "push",
    method,
    target,
    body,
  });
  const read = (path: string): Shape => ({
    permission: "pull",
    method: random() < 0.7 ? "GET" : "HEAD",
    target: `${base}/${path}`,
  });
  const remove = (path: string): Shape => ({
    permission: "delete",
    method: "DELETE",
    target: `${base}/${path}`,
  });
  const hex = other.blobDigest.slice("sha256:".length);
  const index = JSON.stringify({
    schemaVersion: 2,
    mediaType: INDEX_TYPE,
    manifests: [{ mediaType: MANIFEST_TYPE, digest: other.manifestDigest, size: other.manifest.length }],
  });
  const uploads = own.uploads.map((place) => place.replace(/^\/v2\/.+(?=\/blobs\/uploads\/)/, base));
  const bytes = `pushed by somebody ${Math.floor(random() * 9)}`;
  const mount = `mount=${other.blobDigest}&from=${other.repository}`;
  return [
    push("POST", `${base}/blobs/uploads/`),
    push("POST", `${base}/blobs/uploads/?${mount}`),
    push("POST", `${base}/blobs/uploads/?mount=${other.blobDigest}`),
    push("POST", `${base}/blobs/uploads/?${mount}&from=${image.repository}`),
    push("POST", `${base}/blobs/uploads/?digest=${digestOf(bytes)}`, bytes),
    { ...push("POST", `${base}/blobs/uploads/?from=open/library&${mount}`), permission: undefined },
    { ...put(`v1${pick(QUERIES)}`, variant(image)), permission: undefined },
    { ...put(`v1${pick(QUERIES)}`, other.manifest), permission: undefined },
    put("v1", other.manifest),
    put("latest", image.manifest),
    put("v1", variant(image)),
    put(image.manifestDigest, image.manifest),
    put("both", index, INDEX_TYPE),
    // Not often: there is nothing to be read afterwards.
    ...(random() < 0.3
      ? [
          remove(`manifests/${image.manifestDigest}`),
          remove("manifests/latest"),
          remove(`blobs/${image.blobDigest}`),
        ]
      : []),
    read(`blobs/${other.blobDigest}`),
    read(`manifests/${other.manifestDigest}`),
    read("manifests/v1"),
    ...(uploads.length === 0 ? [] : [pick(uploads)]).flatMap((place) => [
      push("PATCH", place, bytes),
      push("PUT", `${place}&digest=${digestOf(bytes)}`, bytes),
      push("PUT", `${place}&digest=${other.blobDigest}`),
      push(pick(["GET", "HEAD", "DELETE"]), place),
    ]),
    {
      method: "GET",
      target: `/v2/_catalog${pick(["", "?n=1000", "?n=3&last=shut", "?n=-1", "?n=x", "?last=t"])}`,
    },
    {
      method: "GET",
      target: `/auth/token?service=localhost&scope=repository:${image.repository}:pull,push,delete`,
    },
    {
      method: "GET",
      target: `/auth/token?scope=registry:catalog:*&scope=repository:${image.repository}:pull`,
    },
    { method: "GET", target: `/v2/_catalog/manifests/latest` },
    { method: "GET", target: `${base}/_catalog` },
    { method: "GET", target: `${base}/blobs/uploads` },
    { method: "GET", target: `${base}/manifests/${other.repository}/manifests/latest` },
    { method: "GET", target: `/v2/open/library/../../${image.repository}/manifests/latest` },
    { method: "GET", target: `${pick(inside)}/v2/${image.repository}/manifests/latest` },
    { method: "GET", target: `${pick(inside)}/v2/${image.repository}/blobs/${image.blobDigest}` },
    {
      method: "GET",
      target: `${pick(inside)}/docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}/data`,
    },
    {
      method: "GET",
      target: `${base}/blobs/sha256:../../../../../blobs/sha256/${hex.slice(0, 2)}/${hex}/data`,
    },
    { method: "GET", target: `${pick(inside)}/` },
  ];
}

/** Credentials that give nobody more than they have: tokens put together from others, wrong passwords, other spellings of names. */
function forged({ random, tokens, own, untimely }: World): string[] {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const victim = pick(["ann", "bob", "ci", "kim"] as const);
  const stolen = tokens.get(victim) ?? "";
  const mine = own.tokens.length > 0 ? pick(own.tokens) : "anonymous";
  const at = Math.floor(random() * mine.length);
  const coded = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const [, ...ends] = mine.split(".");
  const shuffled = [stolen.split(".")[0], ...(ends.length > 0 ? ends : ["AAAA"])].join(".");
  const name = { sub: victim, user: victim, name: victim, checked: Date.now(), groups: ["crew", "team-a"] };
  const bearer = (token: string): string => `Authorization: Bearer ${token}`;
  return pick([
    [bearer(mine.slice(0, at) + pick(["A", "z", "0", "=", "/", "."]) + mine.slice(at + 1))],
    [bearer(mine.slice(0, at))],
    [bearer(mine + pick(["A", "=", ".", " "]))],
    [bearer(mine.toUpperCase())],
    // Without what proves a token, or with the proof of another.
    ...(stolen.includes(".")
      ? [[bearer(shuffled)], [bearer(stolen.slice(0, stolen.lastIndexOf(".") + 1))]]
      : []),
    [bearer(untimely(victim))],
    [bearer(`${coded({ alg: "none" })}.${coded(name)}.`)],
    [bearer(coded(name))],
    [bearer(`${coded(name)}.${stolen.split(".")[1]}`)],
    [bearer(Buffer.from(`${victim}:`).toString("base64"))],
    [basic(victim, `${PASSWORD}x`)],
    [basic(victim, "")],
    [
      basic(
        pick(["Ann", "BOB", "Ci", "aNNa", "Kim", "ann ", " ann", "ann\0", "group:crew", "user:ann"]),
        PASSWORD,
      ),
    ],
    [
      basic(
        pick([
          "hephaestus-ui",
          "hephaestus-library",
          "hephaestus-mirror",
          "hephaestus.temporary",
          "Hephaestus-UI",
        ]),
        PASSWORD,
      ),
    ],
    [bearer("anonymous"), basic(victim, "x")],
    [`authorization: bearer ${mine}`],
    [`Authorization: Bearer${mine}`],
  ]);
}

/** By what credential somebody sends a request. None of them gives them more rights than they have. */
function credential(world: World, caller: Caller): string[] {
  const { random, own } = world;
  const kind = random();
  if (kind < 0.05) return forged(world);
  if (kind < 0.1) return [];
  if (kind < 0.4 && own.tokens.length > 0)
    return [`Authorization: Bearer ${own.tokens[Math.floor(random() * own.tokens.length)]}`];
  return credentialOf(caller);
}

/** One raw request, often spelled in another way. */
export function draw(world: World, caller: Caller): Drawn {
  const { random, images } = world;
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const image = images.get(pick(REPOSITORIES)) as Image;
  const other = images.get(pick(REPOSITORIES)) as Image;
  const shape: Shape = random() < 0.4 ? pick(questions(image)) : pick(shapes(world, image, other));
  let { method, target } = shape;
  if (random() < 0.12) target = pick(SPELLINGS)(target);
  if (random() < 0.05)
    target = target.replace(/[a-z]+/g, (word) => (random() < 0.3 ? word.toUpperCase() : word));
  if (random() < 0.1) target += pick(QUERIES);
  if (random() < 0.07) method = pick(METHODS);
  for (let changes = random() < 0.15 ? 1 + Math.floor(random() * 2) : 0; changes > 0; changes--) {
    const at = Math.floor(random() * target.length);
    const kind = random();
    if (kind < 0.5) target = target.slice(0, at) + pick(SPICE) + target.slice(at);
    else if (kind < 0.75) target = target.slice(0, at) + target.slice(at + 1 + Math.floor(random() * 3));
    else target = target.slice(0, at) + target.slice(at, at + 9) + target.slice(at);
  }
  const isPlain = target === shape.target && method === shape.method && shape.permission !== undefined;
  const disguise = random() < 0.15 ? pick(OVERRIDES) : [];
  const added = shape.body ? [] : readHeaders(world, random() < 0.5 ? image : other);
  const named = new Set(added.map((header) => header.split(":", 1)[0]));
  const kept = (shape.headers ?? []).filter((header) => !named.has(header.split(":", 1)[0]));
  const headers = [...credential(world, caller), ...kept, ...added, ...disguise];
  return {
    text: request({ authority: "localhost" }, method, target, headers, shape.body),
    ...(isPlain &&
      disguise.length === 0 && {
        asks: { permission: shape.permission as Permission, repository: image.repository },
      }),
  };
}
