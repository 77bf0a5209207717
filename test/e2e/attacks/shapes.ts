import { digestOf, type Image, MANIFEST_TYPE } from "./image.js";

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
