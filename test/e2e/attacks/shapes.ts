/** What an attacker without a password may send. None of it may write or delete. */
import { PASSWORD, USER } from "../stack.js";
import { digestOf, type Image, MANIFEST_TYPE } from "./image.js";

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const TOKEN = base64(`${USER}:${PASSWORD}`);

/** A request, but for where it goes. */
export interface Shape {
  method: string;
  target: string;
  headers: string[];
  body: string;
}

/** A layer that must never be stored. */
const LAYER = "an intruder's layer";
const INTRUDER = digestOf(LAYER);

/** Each way in which the API of the distribution specification writes or deletes. */
export function writes({ repository, tag, manifest, manifestDigest, blobDigest }: Image): Shape[] {
  const base = `/v2/${repository}`;
  const upload = `${base}/blobs/uploads/00000000-0000-4000-8000-000000000000?_state=AAAA`;
  const mount = `/v2/evil/blobs/uploads/?mount=${blobDigest}&from=${repository}`;
  const type = `Content-Type: ${MANIFEST_TYPE}`;
  const other = manifest.replace('"size":', '"size": ');
  const shape = (method: string, target: string, body = "", ...headers: string[]) => ({
    method,
    target,
    headers,
    body,
  });
  return [
    shape("POST", `${base}/blobs/uploads/`),
    shape("POST", `${base}/blobs/uploads/?digest=${INTRUDER}`, LAYER),
    shape("POST", mount),
    shape("PATCH", upload, LAYER, "Content-Type: application/octet-stream"),
    shape("PUT", `${upload}&digest=${INTRUDER}`, LAYER),
    shape("DELETE", upload),
    shape("PUT", `${base}/manifests/evil`, manifest, type),
    shape("PUT", `${base}/manifests/${tag}`, other, type),
    shape("DELETE", `${base}/manifests/${manifestDigest}`),
    shape("DELETE", `${base}/manifests/${tag}`),
    shape("DELETE", `${base}/blobs/${blobDigest}`),
  ];
}

/** Methods that are no GET and no HEAD, however they are written. */
export const METHODS = [
  ..."POST PUT PATCH DELETE OPTIONS TRACE CONNECT PROPFIND MKCOL MOVE COPY LOCK".split(" "),
  ..."post Put pAtCh dELETE get HEAd PURGE FORGE GETPOST GET\tPOST P\u00d6ST G PO-ST PRI".split(" "),
  ...["X".repeat(60), "X".repeat(9000), "", " POST", "POST ", "\r\nPOST", "\0POST"],
];

/** Names and passwords that open nothing. */
const PAIRS = [
  ...[`${USER}:`, ":", `:${PASSWORD}`, USER, `${USER}:\0`, `${USER}:${PASSWORD}\n`],
  ...[`${USER.toUpperCase()}:${PASSWORD}`, "anonymous:", "anonymous:anonymous", "hephaestus-gateway:"],
  ...["hephaestus-gateway:hephaestus-gateway", "hephaestus-ui:", `hephaestus-ui:${PASSWORD}`],
];

/** Headers with which somebody without a password might pass for somebody else. */
export const CREDENTIALS: string[][] = [
  [],
  ["authorization: bEaReR ANONYMOUS"],
  ["Authorization:\tBearer\tanonymous"],
  ["Authorization:Bearer anonymous"],
  ["Authorization: Bearer\u00a0anonymous"],
  ["Authorization: Basic anonymous"],
  ["Authorization: basic anonymous="],
  ["Authorization: Basic"],
  ["Authorization: Basic "],
  ["Authorization: Basic  ="],
  ["Authorization: Bearer"],
  ...["anonymous", "anonymous=", "anonymous==", " anonymous ", "null", "true", "$gateway_authorization"].map(
    (token) => [`Authorization: Bearer ${token}`],
  ),
  ["Authorization: Bearer eyJhbGciOiJub25lIn0.eyJhY2Nlc3MiOlt7ImFjdGlvbnMiOlsicHVzaCJdfV19."],
  [`Authorization: Digest username="${USER}"`],
  ["Authorization: Negotiate YWJj"],
  ["Authorization: Bearer anonymous", "Authorization: Bearer anonymous"],
  ["Authorization: Bearer anonymous", `Authorization: Basic ${base64(`${USER}:wrong`)}`],
  [`Authorization: Basic ${base64(`${USER}:wrong`)}`, "Authorization: Bearer anonymous"],
  [`Authorization: Basic ${base64(`${USER}:wrong`)}, Bearer anonymous`],
  [`Authorization: Bearer anonymous, Basic ${base64(`${USER}:wrong`)}`],
  // A right token that is cut, longer, in another alphabet, or in another place.
  ...[
    TOKEN.slice(0, -4),
    TOKEN.slice(0, 8),
    `${TOKEN}AAAA`,
    `${TOKEN}.x`,
    TOKEN.toUpperCase(),
    base64(TOKEN),
  ].map((token) => [`Authorization: Bearer ${token}`]),
  [`Authorization: Basic ${USER}:${PASSWORD}`],
  [`Authorization : Basic ${TOKEN}`],
  [`X-Authorization: Basic ${TOKEN}`],
  [`Proxy-Authorization: Basic ${TOKEN}`],
  [`Cookie: Authorization=Basic ${TOKEN}; token=${TOKEN}`],
  ...PAIRS.map((pair) => [`Authorization: Basic ${base64(pair)}`]),
];

/** Headers that other servers obey. */
export const OVERRIDES: string[][] = [
  ...["GET", "POST", "PUT", "DELETE"].map((method) => [
    `X-HTTP-Method-Override: ${method}`,
    `X-HTTP-Method: ${method}`,
    `X-Method-Override: ${method}`,
  ]),
  ["X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1", "X-Client-Address: 127.0.0.1"],
  ["X-User: smith", "Remote-User: smith", "X-Forwarded-User: smith", "X-Remote-User: smith"],
  ["X-Original-Method: GET", "X-Original-URI: /v2/", "X-Original-URL: /v2/", "X-Rewrite-URL: /v2/"],
  ["X-Accel-Redirect: /auth/check", "X-Sendfile: /run/secrets/gateway"],
  ["Host: siege_registry:5000"],
  ["Host: 127.0.0.1:5001"],
  ["Host: "],
  ["Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA", "Connection: Upgrade, HTTP2-Settings"],
  ["Upgrade: websocket", "Connection: Upgrade"],
  ["Expect: 100-continue"],
  ["Connection: close, Authorization, Content-Length"],
];

/** Other spellings of a path below /v2/. */
export const SPELLINGS: ((path: string) => string)[] = [
  (path) => `/${path}`,
  (path) => path.replaceAll("/", "//"),
  (path) => path.replace(/(?<=.)\//g, "%2F"),
  (path) => path.replace(/\/(?=[^/]*$)/, "%2f"),
  (path) => path.replaceAll("/", "%252f"),
  (path) => path.replaceAll("/", "\\"),
  (path) => path.replace("/v2", "/%76%32"),
  (path) => path.replace("/v2", "/V2"),
  (path) => path.replace("blobs", "%62lobs").replace("manifests", "%6danifests"),
  (path) => path.replace("uploads", "%75ploads"),
  (path) => path.replace("uploads", "%2575ploads"),
  (path) => path.replace("/v2/", "/v2/./"),
  (path) => path.replace("/v2/", "/v2/x/../"),
  (path) => path.replace("/v2/", "/v2/%2e%2e/v2/"),
  (path) => path.replace("/v2/", "/v2/x/%2e%2e%2f"),
  ...["/healthz/..", "/auth/token/..", "/auth/anonymous/..", "/..", "/v2/..;"].map(
    (before) => (path: string) => before + path,
  ),
  ...[";x=1", "#x", "%00", "%0a", "/", "%20", "%3f", "\0"].map(
    (behind) => (path: string) => path.replace(/\?|$/, `${behind}$&`),
  ),
  ...["http://localhost", "http://siege_registry:5000", "HTTP://127.0.0.1:5001", "https://evil.example"].map(
    (host) => (path: string) => host + path,
  ),
  (path) => `ftp://localhost${path}`,
  (path) => path.slice(1),
  (path) => `${path} HTTP/1.1\r\nX-Injected: 1`,
  (path) => `${path}\tHTTP/1.1`,
];

const CODINGS = ["xchunked", "chunked, identity", "identity, chunked", "chunked,", '"chunked"', "\vchunked"];

/** Requests that two servers might cut in different places, with a write in the rest. */
export function smuggled(hidden: string): string[] {
  const size = hidden.length;
  const hex = size.toString(16);
  const get = "GET /v2/_catalog HTTP/1.1\r\nHost: localhost\r\n";
  const post = "POST /v2/tools/hello/blobs/uploads/ HTTP/1.1\r\nHost: localhost\r\n";
  const chunked = "Transfer-Encoding: chunked";
  const lengths = [
    `+${size}`,
    `-${size}`,
    `0x${hex}`,
    `${size}, ${size}`,
    `${size} 0`,
    "1e2",
    "",
    "9".repeat(30),
  ];
  return [get, post].flatMap((head) => [
    `${head}Content-Length: ${size}\r\n${chunked}\r\n\r\n0\r\n\r\n${hidden}`,
    `${head}${chunked}\r\nContent-Length: 4\r\n\r\n${hex}\r\n${hidden}\r\n0\r\n\r\n`,
    ...CODINGS.map(
      (coding) => `${head}Transfer-Encoding: ${coding}\r\nContent-Length: ${size}\r\n\r\n${hidden}`,
    ),
    ...["Transfer-Encoding : ", "Transfer-Encoding:\t", "Transfer-Encoding\n : ", "Transfer_Encoding: "].map(
      (name) => `${head}${name}chunked\r\n\r\n0\r\n\r\n${hidden}`,
    ),
    `${head}X: y\r\n ${chunked}\r\nContent-Length: ${size}\r\n\r\n${hidden}`,
    `${head}${chunked}\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n${hidden}`,
    `${head}Content-Length: 0\r\nContent-Length: ${size}\r\n\r\n${hidden}`,
    `${head}Content-Length: ${size}\r\nContent-Length: 0\r\n\r\n${hidden}`,
    ...lengths.map((length) => `${head}Content-Length: ${length}\r\n\r\n${hidden}`),
    `${head}${chunked}\r\n\r\n5;x="\r\n\r\n"\r\nhello\r\n0\r\n\r\n${hidden}`,
    `${head}${chunked}\r\n\r\n0;${"x".repeat(5000)}\r\n\r\n${hidden}`,
    `${head}${chunked}\r\n\r\n0\n\n${hidden}`,
    `${head}${chunked}\r\n\r\n0\r\nAuthorization: Basic ${TOKEN}\r\n\r\n${hidden}`,
    `${head}${chunked}\r\n\r\nfffffffffffffffff\r\n${hidden}`,
    `${head}${chunked}\r\n\r\n${hex}\r\n${hidden}\r\n0\r\n\r\n`,
    `${head.replaceAll("\r\n", "\n")}Content-Length: 0\n\n${hidden}`,
    `${head}X: y\rAuthorization: Basic ${TOKEN}\r\n\r\n${hidden}`,
    `${head}X: y\0Authorization: Basic ${TOKEN}\r\n\r\n${hidden}`,
    `${head}Connection: Content-Length\r\nContent-Length: ${size}\r\n\r\n${hidden}`,
    `${head.replace("HTTP/1.1", "HTTP/1.0")}${chunked}\r\n\r\n0\r\n\r\n${hidden}`,
    ...[" HTTP/0.9", "", " HTTP/2.0"].map((version) => `${head.replace(" HTTP/1.1", version)}\r\n${hidden}`),
    `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${hidden}`,
    `\r\n\r\n${head}\r\n${hidden}`,
  ]);
}
