/** As many users with an end as fit into the Swarm secret that holds them. */
import bcrypt from "bcryptjs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { MOST_SECRET_BYTES } from "../../src/swarm/secrets.js";
import { pushImage } from "../e2e/attacks/image.js";
import { basic } from "../e2e/attacks/raw.js";
import { BCRYPT_COST, CREDENTIALS, PASSWORD, USER } from "../e2e/stack.js";
import { ENDED, LAST, withManyUsers } from "../support/manyUsers.js";
import { ask, RIGHT } from "./attacks/site.js";
import { type Served, serve } from "./served.js";

let served: Served;

beforeAll(async () => {
  const hash = bcrypt.hashSync(PASSWORD, BCRYPT_COST);
  const htpasswd = withManyUsers(CREDENTIALS.REGISTRY_HTPASSWD, hash);
  expect(htpasswd.length).toBeGreaterThan(0.9 * MOST_SECRET_BYTES);
  served = await serve({}, { htpasswd });
});

afterAll(() => served?.stack.stop());

const token = (user: string, password = PASSWORD) =>
  ask(served.endpoint, "GET", "/auth/token", [basic(user, password)]);
const upload = (user: string) =>
  ask(served.endpoint, "POST", "/v2/tools/hello/blobs/uploads/", [basic(user, PASSWORD)]);

test("each of them logs in and pushes until the account ends", async () => {
  expect((await token(LAST)).status).toBe(200);
  expect((await upload(LAST)).status).toBe(202);
  await pushImage(served.endpoint, RIGHT, "tools/hello", "again");
  const refused = await token(ENDED);
  expect([refused.status, refused.body]).toEqual([403, expect.stringContaining("ended on 2026-01-01")]);
  expect((await upload(ENDED)).status).toBe(403);
  expect((await token("user-0001", "wrong")).status).toBe(401);
});

test("no answer names one of them", async () => {
  const answers = [await upload(LAST), await upload(USER), await token(LAST), await token(ENDED)];
  expect(answers.map(({ status }) => status)).toEqual([202, 202, 200, 403]);
  for (const answer of answers)
    expect(JSON.stringify(answer).replaceAll(`the account ${ENDED} ended`, "")).not.toMatch(/user-\d{4}/);
});
