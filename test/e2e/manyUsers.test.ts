/** As many users with an end as fit into the Swarm secret that holds them. */
import { readFile } from "node:fs/promises";
import bcrypt from "bcryptjs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { MOST_SECRET_BYTES } from "../../src/docker/swarmSecrets.js";
import { ExitCode } from "../../src/errors.js";
import { story } from "../support/story.js";
import { ask, basic } from "./attacks/raw.js";
import { SMITH, Target } from "./attacks/target.js";
import { PASSWORD, pullDuring, USER } from "./stack.js";
import { useSwarm } from "./swarm.js";

const swarm = useSwarm();
story();
const USERS = Array.from({ length: 5000 }, (_, index) => `user-${String(index).padStart(4, "0")}`);
const ENDED = "user-0000";
const LAST = "user-4999";
let target: Target;

beforeAll(async () => {
  target = await Target.deploy("many", [5000, 8080], swarm, {});
  await target.pushImage("tools/hello");
  const { id } = await target.container("registry");
  const present = await target.docker("exec", id, "cat", "/run/secrets/htpasswd");
  const hash = bcrypt.hashSync(PASSWORD, 4);
  const ends = USERS.map((user) => `# until ${user} ${user === ENDED ? "20260101" : "20991231"}\n`).join("");
  const input = `${ends}${present}\n${USERS.map((user) => `${user}:${hash}\n`).join("")}`;
  expect(input.length).toBeGreaterThan(0.9 * MOST_SECRET_BYTES);
  const label = ["hephaestus.stack=many", "hephaestus.generation=2", "hephaestus.secret=htpasswd"];
  const labels = label.flatMap((text) => ["--label", text]);
  const created = await target.workspace.run(
    "docker",
    ["secret", "create", ...labels, "many_htpasswd_2", "-"],
    { input },
  );
  expect(created.exitCode, created.all).toBe(0);
  await target.docker(
    ...["service", "update", "--quiet", "--secret-rm", "many_htpasswd_1"],
    ...["--secret-add", "source=many_htpasswd_2,target=htpasswd,mode=0444", "many_registry"],
  );
}, 300_000);

afterAll(() => target?.destroy());

const token = (user: string, password = PASSWORD) =>
  ask(target.gateway, "GET", "/auth/token", [basic(user, password)]);
const upload = (user: string) =>
  ask(target.gateway, "POST", "/v2/tools/hello/blobs/uploads/", [basic(user, PASSWORD)]);

test("each of them logs in and pushes until the account ends", async () => {
  expect((await token(LAST)).status).toBe(200);
  expect((await upload(LAST)).status).toBe(202);
  await target.pushImage("tools/hello", "again");
  const refused = await token(ENDED);
  expect([refused.status, refused.body]).toEqual([403, expect.stringContaining("ended on 2026-01-01")]);
  expect((await upload(ENDED)).status).toBe(403);
  expect((await token("user-0001", "wrong")).status).toBe(401);
});

test("no answer names one of them", async () => {
  for (const answer of [await upload(LAST), await upload(USER), await token(LAST), await token(ENDED)])
    expect(JSON.stringify(answer).replaceAll(`the account ${ENDED} ended`, "")).not.toMatch(/user-\d{4}/);
});

test("another one ends too, and no pull fails while it is added", async () => {
  const { workspace } = target;
  const file = `${workspace.folder}/ci-password`;
  const added = ["user", "add", "ci", "--until", "2099-12-31", "--password-file", file];
  const { result, count } = await pullDuring(workspace, "tools/hello", workspace.hephaestus(added));
  expect(result.exitCode, result.all).toBe(ExitCode.ok);
  expect(count.failures).toEqual([]);
  const password = (await readFile(file, "utf8")).trim();
  expect((await token("ci", password)).status).toBe(200);
  expect((await token(ENDED)).status).toBe(403);
  expect((await ask(target.gateway, "GET", "/auth/token", [SMITH])).status).toBe(200);
});
