/** What a client does not send, or does not take, holds memory of the program, so it may be few at once. */
import { expect, test } from "vitest";
import { leavePlace, takePlace } from "../../../src/services/gateway/program/bodies.js";
import { Dictionary, inShort, programOf, type Sent, standingClock } from "./standIn.js";

const UPLOAD = "/v2/open/blobs/uploads/";
const LONG = { "Content-Length": "1000000" };

/** Sends the same often, each time from another address. */
async function statuses(
  sent: Sent,
  count: number,
  address: (index: number) => string,
  program = programOf({}),
) {
  const outcomes: string[] = [];
  for (let index = 0; index < count; index++)
    outcomes.push(inShort(await program({ hangs: true, ...sent, address: address(index) })).slice(0, 3));
  return outcomes;
}
const closed = (outcomes: readonly string[]) => outcomes.filter((outcome) => outcome === "444").length;

test.each<[string, Sent]>([
  ["the body of a refused write", { method: "POST", uri: UPLOAD, headers: LONG }],
  ["one in pieces", { uri: "/v2/open/tags/list", headers: { "Transfer-Encoding": "chunked" } }],
  ["that of a first request", { uri: "/v2/", headers: LONG }],
  ["that of a read that is served", { uri: "/v2/open/tags/list", headers: LONG }],
  ["that of a request for a token", { method: "POST", uri: "/auth/token", headers: LONG }],
  ["the answer to a first request", { uri: "/v2/" }],
  ["a token", { uri: "/auth/token" }],
])("%s is waited for 52 times of one network, and 155 times of all; another connection is closed", async (_, sent) => {
  const program = programOf({});
  const own = await statuses(sent, 60, (index) => `2001:db8::${index}`, program);
  expect([closed(own), closed(own.slice(0, 52))]).toEqual([8, 0]);
  expect(closed(await statuses(sent, 110, (index) => `192.0.2.${index}`, program))).toBe(60 + 110 - 155);
});

test("bodies that never end take no place of answers", async () => {
  const program = programOf({});
  await statuses({ uri: "/v2/", headers: LONG }, 200, (index) => `192.0.2.${index}`, program);
  expect(inShort(await program({ uri: "/v2/" }))).toMatch(/^401/);
});

test("who takes what is answered, or may write, is always answered", async () => {
  const one = () => "192.0.2.1";
  expect(closed(await statuses({ uri: "/v2/", hangs: false }, 200, one))).toBe(0);
  const empty = { method: "POST", uri: UPLOAD, headers: { "Content-Length": "0" }, hangs: false };
  expect(closed(await statuses(empty, 200, one))).toBe(0);
  const write = { method: "PUT", uri: "/v2/open/manifests/1", headers: LONG, user: "ann" };
  expect(new Set(await statuses(write, 200, one))).toEqual(new Set(["@wr"]));
});

test("a place is free again when its request has ended", () => {
  const counts = new Dictionary(standingClock().now);
  const take = () => takePlace(counts, "bodies", 150, "192.0.2.1");
  expect(Array.from({ length: 51 }, take).at(-1)).toBe(false);
  leavePlace(counts, "bodies", "192.0.2.1");
  expect(take()).toBe(false);
  leavePlace(counts, "bodies", "192.0.2.1");
  leavePlace(counts, "bodies", "192.0.2.1");
  expect(take()).toBe(true);
});
