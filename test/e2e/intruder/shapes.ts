import { createHash } from "node:crypto";
import type { RawRequest } from "./raw.js";

/** What an attacker without a password may send. Nothing here may write or delete. */

const BODY = "an intruder's layer";
const DIGEST = `sha256:${createHash("sha256").update(BODY).digest("hex")}`;
const base64 = (text: string) => Buffer.from(text).toString("base64");
/** What a token says whose user has every right; nobody signed it. */
const FORGED = Buffer.from(
  JSON.stringify({ user: "hephaestus.temporary", groups: [], checked: Date.now() }),
).toString("base64url");

export const METHODS = [
  ...[
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "PROPFIND",
    "MKCOL",
    "MOVE",
    "COPY",
    "LOCK",
  ],
  ...[
    "post",
    "Put",
    "pAtCh",
    "delete",
    "dELETE",
    "get",
    "HEAd",
    "FORGE",
    "GET\tPOST",
    "P\u00d6ST",
    "G",
    "X".repeat(60),
  ],
];

/** Targets that would write, in the repository `tools/hello`, which exists. */
export const TARGETS = [
  "/v2/tools/hello/blobs/uploads/",
  "/v2/tools/hello/blobs/uploads",
  `/v2/tools/hello/blobs/uploads/?digest=${DIGEST}`,
  `/v2/evil/blobs/uploads/?mount=${DIGEST}&from=tools/hello`,
  "/v2/tools/hello/manifests/latest",
  "/v2/tools/hello/manifests/evil",
  `/v2/tools/hello/blobs/${DIGEST}`,
  "//v2//tools/hello/blobs/uploads/",
  "/v2/tools%2Fhello/blobs/uploads/",
  "/v2/tools/hello/blobs/%75ploads/",
  "/v2/tools/hello/blobs/%2575ploads/",
  "/v2/./tools/hello/blobs/uploads/",
  "/healthz/../v2/tools/hello/blobs/uploads/",
  "/auth/../v2/tools/hello/blobs/uploads/",
  "/v2/%2e%2e/v2/tools/hello/blobs/uploads/",
  "/V2/tools/hello/blobs/uploads/",
  "/v2/tools/hello/blobs/uploads/;x=1",
  "/v2/tools/hello/blobs/uploads/#x",
  "/v2/tools/hello/blobs/uploads/%00",
  "http://localhost/v2/tools/hello/blobs/uploads/",
  "http://registry:5000/v2/tools/hello/blobs/uploads/",
  "http://evil.example/v2/tools/hello/blobs/uploads/",
  "/auth/check",
  "/auth/anonymous",
  "/auth/token?service=x&scope=repository:tools/hello:push,pull",
  "*",
];

/** Headers with which somebody without a password might pass for somebody else. */
export const DISGUISES: readonly (readonly string[])[] = [
  [],
  ["Authorization: Bearer anonymous"],
  ["Authorization: bEaReR anonymous"],
  ["Authorization: Bearer anonymous="],
  ["Authorization: Bearer  anonymous "],
  ["Authorization:\tBearer\tanonymous"],
  ["Authorization: Basic anonymous"],
  ["Authorization: Basic YW5vbnltb3VzOg=="],
  ["Authorization: Basic"],
  ["Authorization: Basic "],
  ["Authorization: Bearer"],
  ["Authorization: Bearer null"],
  ["Authorization: Bearer anonymous", "Authorization: Bearer anonymous"],
  ["Authorization: Bearer anonymous", `Authorization: Basic ${base64("smith:wrong")}`],
  [`Authorization: Basic ${base64("smith:")}`],
  [`Authorization: Basic ${base64("hephaestus-gateway:")}`],
  [`Authorization: Basic ${base64("hephaestus-ui:hephaestus-ui")}`],
  [`Authorization: Bearer ${base64("smith:Anvil-and-hammer-7").slice(0, -4)}`],
  [`Authorization: Bearer ${base64("smith:Anvil-and-hammer-7")}`],
  [`Authorization: Bearer ${base64("smith:Anvil-and-hammer-7")}.x`],
  [`Authorization: Bearer ${FORGED}.${"A".repeat(43)}`],
  [`Authorization: Bearer ${FORGED}.`],
  [`Authorization: Digest username="smith"`],
  ["X-HTTP-Method-Override: GET"],
  ["X-HTTP-Method: GET", "X-Method-Override: GET"],
  ["X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1", "X-Client-Address: 127.0.0.1"],
  ["X-User: smith", "Remote-User: smith", "X-Forwarded-User: smith"],
  ["X-Original-Method: GET", "X-Original-URI: /v2/", "X-Rewrite-URL: /v2/"],
  ["Host: registry:5000"],
  ["Host: 127.0.0.1:5001"],
  [
    "Host: evil.example",
    "X-Forwarded-Host: evil.example",
    "X-Forwarded-Proto: gopher",
    "Forwarded: host=evil.example",
  ],
  ["Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA", "Connection: Upgrade, HTTP2-Settings"],
  ["Expect: 100-continue"],
];

/** Every method with every target, plain; and every disguise with every target, for the methods that write. */
export function combinations(): RawRequest[] {
  const plain = METHODS.flatMap((method) => TARGETS.map((target) => ({ method, target, body: BODY })));
  const disguised = ["POST", "PUT", "DELETE", "PATCH"].flatMap((method) =>
    DISGUISES.flatMap((headers) => TARGETS.map((target) => ({ method, target, headers, body: BODY }))),
  );
  return [...plain, ...disguised];
}

const UPLOAD =
  "POST /v2/evil/blobs/uploads/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/** Requests that a gateway and a registry might cut in different places, with an upload in the rest. */
export const SMUGGLING: readonly string[] = [
  `GET /v2/_catalog HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${UPLOAD.length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${UPLOAD}`,
  `GET /v2/_catalog HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n${UPLOAD}`,
  `GET /v2/_catalog HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\nContent-Length: ${UPLOAD.length}\r\n\r\n${UPLOAD}`,
  `GET /v2/_catalog HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n${UPLOAD}`,
  `GET /v2/_catalog HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n${UPLOAD}`,
  `GET /v2/_catalog HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n${UPLOAD}`,
  `GET /v2/_catalog HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: ${UPLOAD.length}\r\n\r\n${UPLOAD}`,
  `GET /v2/_catalog HTTP/1.1\r\nHost: localhost\r\nContent-Length: +${UPLOAD.length}\r\n\r\n${UPLOAD}`,
  `GET /v2/_catalog HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5;x="\r\n\r\n"\r\nhello\r\n0\r\n\r\n${UPLOAD}`,
  `GET /v2/_catalog HTTP/1.1\nHost: localhost\nContent-Length: 0\n\n${UPLOAD}`,
  `GET /v2/_catalog HTTP/1.1\r\nHost: localhost\r\nX: y\rAuthorization: Basic c21pdGg6\r\n\r\n${UPLOAD}`,
  `GET /v2/_catalog HTTP/1.1\r\nHost: localhost\r\n X-Folded: y\r\nContent-Length: ${UPLOAD.length}\r\n\r\n${UPLOAD}`,
  `GET /v2/_catalog HTTP/0.9\r\n\r\n${UPLOAD}`,
  `GET /v2/_catalog HTTP/1.1\r\nHost: localhost\r\nConnection: Authorization\r\n\r\n${UPLOAD}`,
];
