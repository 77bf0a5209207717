/** Probes of addresses, bodies, logs, and of what the registry hears. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { expect, vi } from "vitest";
import { digestOf, startUpload } from "../../e2e/attacks/image.js";
import { request, talk } from "../../e2e/attacks/raw.js";
import { USER } from "../../e2e/stack.js";
import {
  ANONYMOUS,
  ask,
  cancel,
  EVIL,
  manifest,
  OCI,
  type Probe,
  RIGHT,
  uploadState,
  wrong,
} from "./site.js";

const A_MINUTE = { timeout: 60_000, interval: 50 };
let marks = 0;

export const addressesAreOfTheConfiguredHost: Probe = async ({ endpoint, image }) => {
  for (const headers of [["Host: evil.example"], EVIL, ...EVIL.map((header) => [header])]) {
    const target = `/v2/${image.repository}/blobs/uploads/`;
    const answer = await ask(endpoint, "POST", target, [RIGHT, ...headers]);
    expect(answer.status).toBe(202);
    expect(JSON.stringify(answer)).not.toMatch(/evil|gopher/);
    const location = new URL(answer.headers.location ?? "");
    expect(location.origin).toBe(`http://${endpoint.authority}`);
    await cancel(endpoint, location.pathname + location.search);
  }
};

export const largeBodiesStreamThrough: Probe = async ({ endpoint, image, storage }) => {
  const target = await startUpload(endpoint, RIGHT, image.repository);
  const half = "x".repeat(1_500_000);
  const head = `PATCH ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${RIGHT}\r\nContent-Length: ${2 * half.length}\r\n\r\n`;
  const id = /uploads\/([^?]*)/.exec(target)?.[1];
  const file = `${storage}/docker/registry/v2/repositories/${image.repository}/_uploads/${id}/data`;
  const socket = connect(endpoint.to).on("error", () => {});
  let text = "";
  socket.on("data", (part) => (text += part)).write(head + half);
  try {
    await vi.waitFor(
      async () => {
        const arrived = text === "" ? (await readFile(file)).length : Infinity;
        expect(arrived, "bytes that the registry has before the client has sent all").toBeGreaterThan(
          1_000_000,
        );
      },
      { timeout: 20_000, interval: 200 },
    );
    socket.write(half);
    await vi.waitFor(() => expect(text).toContain("\r\n\r\n"), A_MINUTE);
  } finally {
    socket.destroy();
  }
  expect(text.split(" ", 2)).toEqual(["HTTP/1.1", "202"]);
  const location = /^Location: http:\/\/[^/]*(\S+)/im.exec(text)?.[1];
  await cancel(endpoint, location ?? "");
};

export const theLogHoldsNoCredentialAndNoQuery: Probe = async (site) => {
  const { endpoint, log } = site;
  const mark = `mark-${++marks}`;
  await ask(endpoint, "GET", `/v2/_catalog?n=1&query-${mark}`, [ANONYMOUS, `User-Agent: ${mark}`]);
  await ask(endpoint, "GET", `${uploadState(site)}?query-${mark}`, [RIGHT, `User-Agent: ${mark}`]);
  await ask(endpoint, "GET", `/auth/token?account=x&query-${mark}`, [RIGHT, `User-Agent: ${mark}`]);
  await ask(endpoint, "GET", `/v2/?query-${mark}`, [wrong(), `User-Agent: ${mark}`]);
  const marked = async () => (await log()).split("\n").filter((line) => line.includes(mark));
  await vi.waitFor(async () => expect(await marked()).toHaveLength(4), A_MINUTE);
  const lines = await marked();
  expect(lines.filter((line) => line.includes(`"${USER}"`))).toHaveLength(2);
  expect(lines.join("\n")).not.toMatch(/query-|anonymous|Bearer|Basic|[A-Za-z0-9+/]{16,}=*"/);
};

/** Where the registry's place is taken by a mirror: what it is asked. */
export const theRegistryHearsTheGatewayAlone: Probe = async ({ endpoint, image, machineAuthorization }) => {
  const disguise = ["Host: evil.example", ...EVIL, "Connection: close, X-Anything"];
  const expected = [
    `Host: ${endpoint.authority}`,
    `X-Forwarded-Host: ${endpoint.authority}`,
    "X-Forwarded-Proto: http",
  ];
  const read = await ask(endpoint, "GET", `/v2/${image.repository}/tags/list`, [...disguise, ANONYMOUS]);
  const write = await ask(endpoint, "PUT", `/v2/${image.repository}/manifests/x`, [...disguise, RIGHT], "{}");
  for (const { body } of [read, write]) {
    for (const line of expected) expect(body).toContain(`\n${line}`);
    expect(body).not.toMatch(/evil|gopher|203\.0\.113\.9|\nForwarded|\nConnection: [^k]/i);
    expect(body).toMatch(/\nX-Forwarded-For: [\d.]+(\n|$)/);
  }
  for (const { body } of [read, write]) {
    expect(body).toContain(`\nAuthorization: ${machineAuthorization}`);
    expect(body.match(/Authorization/g)).toHaveLength(1);
  }
};

/** Where a mirror takes the place of those who know the users: what it is asked. */
export const aCheckSaysTheCredentialAlone: Probe = async ({ endpoint, heard }) => {
  const headers = ["Cookie: evil", "X-Anything: evil", "Accept: evil", "Content-Type: evil", ...EVIL];
  // Everybody is let in there.
  const guess = wrong();
  expect((await ask(endpoint, "GET", "/v2/", [guess, ...headers])).status).toBe(200);
  const question = heard.find((text) => text.includes(guess)) ?? "";
  expect(question).toMatch(/^GET \/password\n/);
  const names = [...question.matchAll(/^([\w-]+):/gm)].map(([, name = ""]) => name.toLowerCase()).sort();
  expect(names).toEqual(["authorization", "host", "x-client-address", "x-client-network"]);
};

/** Where nothing is in the registry's place. */
export const aMissingRegistryIsSaidToBeMissing: Probe = async (site) => {
  const answer = await ask(site.endpoint, "GET", manifest(site));
  expect(answer.status).toBe(503);
  expect(answer.body).toContain('"UNAVAILABLE"');
};

/** Where a network has 6 places: who does not read what it asked for keeps other readers of its network out, and no writer. */
export const oneNetworkDoesNotTakeAllPlaces: Probe = async (site) => {
  const { endpoint, image } = site;
  const layer = "large".repeat(4_000_000);
  const target = `${await startUpload(endpoint, RIGHT, image.repository)}&digest=${digestOf(layer)}`;
  expect((await ask(endpoint, "PUT", target, [RIGHT], layer)).status).toBe(201);
  const held = Array.from({ length: 6 }, () => connect(endpoint.to));
  try {
    for (const socket of held)
      socket.write(request(endpoint, "GET", `/v2/${image.repository}/blobs/${digestOf(layer)}`));
    // All of them have begun to get their answer.
    await Promise.all(held.map((socket) => once(socket, "readable")));
    const answer = await ask(endpoint, "GET", `/v2/${image.repository}/blobs/${image.blobDigest}`);
    expect([answer.status, answer.headers["retry-after"]]).toEqual([503, "5"]);
    expect(answer.body).toContain("too many requests are in progress");
    expect((await ask(endpoint, "GET", "/healthz")).status).toBe(200);
    await cancel(endpoint, await startUpload(endpoint, RIGHT, image.repository));
  } finally {
    for (const socket of held) socket.destroy();
  }
  const read = async () => expect((await ask(endpoint, "GET", manifest(site), [OCI])).status).toBe(200);
  await vi.waitFor(read, A_MINUTE);
};

/** Who sends half of a body that nobody reads is disconnected, and most of those who do so at once get no answer. */
export const unreadBodiesAreFew: Probe = async (site) => {
  const { endpoint, image } = site;
  const headers = ["Content-Length: 1000000", "Connection: keep-alive"];
  const half = `${request(endpoint, "POST", `/v2/${image.repository}/blobs/uploads/`, headers)}x`;
  const talks = await Promise.all(
    Array.from({ length: 120 }, () => talk(endpoint, half, { silenceMs: 4000 })),
  );
  expect(talks.filter(({ ended }) => !ended)).toEqual([]);
  const answered = talks.filter(({ statuses }) => statuses.length > 0);
  expect(new Set(answered.flatMap(({ statuses }) => statuses))).toEqual(new Set([401]));
  expect(answered.length).toBeLessThanOrEqual(52);
  // Their places are free again.
  const refused = await talk(endpoint, request(endpoint, "PUT", manifest(site), [], "{}"), { once: true });
  expect(refused.statuses).toEqual([401]);
  expect((await ask(endpoint, "GET", manifest(site), [OCI])).status).toBe(200);
};

/** Where a token is good for 5 seconds. Who has one that has ended is asked for the password itself. */
export const aTokenEnds: Probe = async (site) => {
  const { endpoint } = site;
  const since = performance.now();
  const { body } = await ask(endpoint, "GET", "/auth/token", [RIGHT]);
  const bearer = `Authorization: Bearer ${(JSON.parse(body) as { token: string }).token}`;
  expect((await ask(endpoint, "GET", "/v2/", [bearer])).status).toBe(200);
  const ended = async () => {
    const answer = await ask(endpoint, "GET", "/v2/", [bearer]);
    expect([answer.status, answer.headers["www-authenticate"]?.slice(0, 5)]).toEqual([401, "Basic"]);
  };
  await vi.waitFor(ended, { timeout: 30_000, interval: 100 });
  expect(performance.now() - since).toBeGreaterThan(5000);
  expect((await ask(endpoint, "GET", manifest(site), [bearer, OCI])).status).toBe(200);
};
