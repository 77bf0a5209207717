/** Users of Authelia beside those of the htpasswd, and alone. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { MANIFEST_TYPE, pushImage } from "../e2e/attacks/image.js";
import { type Answer, basic, type Endpoint } from "../e2e/attacks/raw.js";
import { PASSWORD, USER } from "../e2e/stack.js";
import { Authelia } from "../support/authelia.js";
import { ask, RIGHT } from "./attacks/site.js";
import { changed } from "./gateways.js";
import { freePorts, HOST } from "./plainStack.js";
import { type Served, serve, serveGateway } from "./served.js";

const WRONG_NAMES = {
  comma: "ann,admins",
  space: "a b",
  quote: 'smith"',
  restore: "hephaestus.temporary",
  admin: "hephaestus-ui",
  gateway: "hephaestus-gateway",
  restoreInCapitals: "HEPHAESTUS.TEMPORARY",
  adminInCapitals: "Hephaestus-UI",
};
/** How long Authelia may take: less than Docker's command waits for a login, 15 seconds. */
const PATIENCE = /proxy_read_timeout 10s;/g;
const MEMORY_SECONDS = 3;
/** As in a large directory. */
const MANY_GROUPS = Array.from({ length: 500 }, (_, index) => `Department of smiths ${index}`);
const secretOf = (login: string): string => `Bellows-of-${login}`;
const credential = (login: string): string => basic(login, secretOf(login));

let authelia: Authelia;
let served: Served;
/** The gateway that is asked. */
let gateway: Endpoint;

beforeAll(async () => {
  const [port = 0] = await freePorts(1);
  authelia = new Authelia(HOST, port, "localhost", {
    ann: { password: secretOf("ann"), groups: ["devs", "all staff"] },
    bob: { password: secretOf("bob"), groups: ["sales"] },
    devs: { password: secretOf("devs"), groups: ["sales"] },
    cat: { password: secretOf("cat"), groups: [USER, "bob", "group:devs"] },
    uwe: { password: secretOf("uwe"), groups: ["Grüne Wiese", "all staff"] },
    eve: { password: secretOf("eve"), groups: ["x y", "z", 'o"q', "smith'"] },
    dan: { password: secretOf("dan"), isDenied: true },
    many: { password: secretOf("many"), groups: [...MANY_GROUPS, "devs"] },
    fred: { password: secretOf("fred") },
    hal: { password: secretOf("hal") },
    lena: { password: secretOf("lena"), name: "ann", groups: ["devs"] },
    ...Object.fromEntries(
      Object.entries(WRONG_NAMES).map(([login, name]) => [login, { password: secretOf(login), name }]),
    ),
  });
  await authelia.start();
  served = await serve(configOf("both"), { repository: "tools/app" });
});

beforeEach(async () => {
  gateway = served.endpoint;
  authelia.policy = "one_factor";
  await authelia.become("answers");
});

afterAll(async () => {
  await served?.stack.stop();
  await authelia?.stop();
});

const configOf = (provider: string) => ({
  users: { provider },
  authelia: { url: authelia.url },
  access: [
    {
      repositories: ["team/**"],
      pull: ["group:devs", `user:${USER}`],
      push: ["group:devs"],
      immutable: ["v*"],
    },
    { repositories: ["y/**"], pull: ["group:y"], push: ["group:y"] },
    { repositories: ["z/**"], pull: ["group:z"], push: ["group:z"] },
    { repositories: ["admins/**"], pull: ["group:admins", "group:b", "user:b"] },
    { repositories: ["staff/**"], pull: ["group:all staff"] },
    { repositories: ["gruen/**"], push: ["group:Grüne Wiese"], pull: [] },
    { repositories: ["apart/**"], pull: ["user:devs", "user:bob"] },
    { repositories: ["users/**"], pull: "authenticated" },
  ],
  registry: { delete: true },
  ui: { enabled: false },
});

/** No answer names Authelia to a client. */
async function answer(method: string, path: string, ...headers: string[]): Promise<Answer> {
  const given = await ask(gateway, method, path, headers);
  expect(given.headers).not.toHaveProperty("set-cookie");
  expect(given.headers["www-authenticate"] ?? "").not.toContain("Authorization Required");
  expect(given.headers).not.toHaveProperty("remote-user");
  expect(given.headers).not.toHaveProperty("x-groups");
  return given;
}

const login = (header: string): Promise<Answer> => answer("GET", "/auth/token", header);
const tags = (repository: string, ...headers: string[]): Promise<Answer> =>
  answer("GET", `/v2/${repository}/tags/list`, ...headers);
const upload = (repository: string, header: string): Promise<Answer> =>
  answer("POST", `/v2/${repository}/blobs/uploads/`, header);
const statusOf = async (question: Promise<Answer>): Promise<number | undefined> => (await question).status;

async function expectRefusal(question: Promise<Answer>, status: number, message: string): Promise<void> {
  const given = await question;
  expect([given.status, given.body]).toEqual([status, expect.stringContaining(`"message":"${message}`)]);
}

test("users of both log in, and the groups that Authelia names decide", async () => {
  expect(await statusOf(login(RIGHT))).toBe(200);
  await pushImage(gateway, credential("ann"), "team/app", "1");
  await pushImage(gateway, credential("bob"), "tools/app", "1");
  await expectRefusal(upload("team/app", credential("bob")), 403, "bob may not push to team/app");
  await expectRefusal(upload("team/app", RIGHT), 403, `${USER} may not push to team/app`);
  await expectRefusal(tags("team/app", credential("bob")), 403, "bob may not pull team/app");
  expect(await statusOf(tags("team/app", credential("ann")))).toBe(200);
  expect(await statusOf(tags("team/app", RIGHT))).toBe(200);
  expect(await statusOf(tags("team/app"))).toBe(401);
  expect(await statusOf(tags("tools/app"))).toBe(200);
  const catalog = async (...headers: string[]) =>
    JSON.parse((await answer("GET", "/v2/_catalog", ...headers)).body).repositories;
  expect(await catalog(credential("ann"))).toEqual(["team/app", "tools/app"]);
  expect(await catalog(credential("bob"))).toEqual(["tools/app"]);
});

test("a token of /auth/token is good for what its user may do", async () => {
  const { body } = await login(credential("ann"));
  const bearer = `Authorization: Bearer ${JSON.parse(body).token}`;
  expect(await statusOf(answer("GET", "/v2/", bearer))).toBe(200);
  expect(await statusOf(upload("team/app", bearer))).toBe(202);
  await expectRefusal(upload("z/app", bearer), 403, "ann may not push to z/app");
});

test("Authelia is asked as its documentation says, and once for 50 requests", async () => {
  const requests = Array.from({ length: 50 }, () => statusOf(upload("tools/app", credential("fred"))));
  expect(new Set(await Promise.all(requests))).toEqual(new Set([202]));
  const questions = authelia.questions.filter((question) => question.login === "fred");
  expect(questions).toEqual([
    {
      login: "fred",
      password: secretOf("fred"),
      url: "https://localhost/v2/",
      method: "GET",
      address: expect.stringMatching(/^\d+\.\d+\.\d+\.\d+$/),
    },
  ]);
  expect(authelia.asked(USER)).toBe(0);
});

test("a wrong password is refused, with the gateway's own challenge", async () => {
  const refused = await login(basic("ann", "wrong"));
  expect([refused.status, refused.headers["www-authenticate"]]).toEqual([
    401,
    'Basic realm="localhost:5000"',
  ]);
  expect(refused.body).toContain("wrong user name or password for localhost:5000");
  expect(await statusOf(upload("tools/app", basic("ann", "wrong")))).toBe(401);
  // Who writes an htpasswd user's name needs that user's password.
  expect(await statusOf(login(basic(USER, secretOf("ann"))))).toBe(401);
});

test("a user whom the rules of Authelia deny the host gets a message", async () => {
  const message = "Authelia does not let this account use localhost:5000";
  await expectRefusal(login(credential("dan")), 403, message);
  for (let pushes = 0; pushes < 20; pushes++)
    await expectRefusal(upload("tools/app", credential("dan")), 403, message);
  expect(authelia.asked("dan")).toBe(1);
});

test("the name that Authelia gives counts, not the one that was typed", async () => {
  expect(await statusOf(upload("team/app", credential("lena")))).toBe(202);
  await expectRefusal(upload("z/app", credential("lena")), 403, "ann may not push to z/app");
});

test.each(
  Object.entries(WRONG_NAMES),
)("a name of a shape that no user has gives no rights: %s", async (who) => {
  const message = "Authelia gives this account a name that no user of localhost:5000 can have";
  await expectRefusal(login(credential(who)), 403, message);
  for (const repository of ["admins/app", "users/app", "tools/app"])
    await expectRefusal(upload(repository, credential(who)), 403, message);
});

test("of groups with odd names only those count that a rule names in full", async () => {
  expect(await statusOf(upload("z/app", credential("eve")))).toBe(202);
  await expectRefusal(upload("y/app", credential("eve")), 403, "eve may not push to y/app");
  await expectRefusal(tags("team/app", credential("eve")), 403, "eve may not pull team/app");
  await expectRefusal(upload("admins/app", credential("eve")), 403, "eve may not push to admins/app");
});

test("a user and a group of one name have nothing in common", async () => {
  expect(await statusOf(upload("apart/app", credential("devs")))).toBe(202);
  await expectRefusal(upload("apart/app", credential("ann")), 403, "ann may not push to apart/app");
  for (const repository of ["apart/app", "team/app"])
    await expectRefusal(upload(repository, credential("cat")), 403, `cat may not push to ${repository}`);
  await expectRefusal(tags("team/app", credential("devs")), 403, "devs may not pull team/app");
});

test("a group with a space or an umlaut in its name can be named", async () => {
  await pushImage(gateway, credential("uwe"), "gruen/app", "1");
  for (const repository of ["staff/app", "gruen/app"]) {
    expect(await statusOf(upload(repository, credential("uwe")))).toBe(202);
    await expectRefusal(upload(repository, credential("bob")), 403, `bob may not push to ${repository}`);
  }
  const { body } = await answer("GET", "/v2/_catalog", credential("uwe"));
  expect(JSON.parse(body).repositories).toContain("gruen/app");
});

test("a user of 500 groups may do what the rules say, also where tags are immutable", async () => {
  const image = await pushImage(gateway, credential("many"), "team/many", "v1");
  await expectRefusal(
    ask(
      gateway,
      "PUT",
      "/v2/team/many/manifests/v1",
      [credential("many"), `Content-Type: ${MANIFEST_TYPE}`],
      `${image.manifest} `,
    ),
    403,
    "the tag v1 of team/many is immutable",
  );
  const { body } = await answer("GET", "/v2/_catalog", credential("many"));
  expect(JSON.parse(body).repositories).toContain("team/many");
});

test("a policy of bypass lets nobody in, whatever the password", async () => {
  authelia.policy = "bypass";
  const message = "Authelia cannot tell who logs in at localhost:5000";
  await expectRefusal(login(basic("nobody", "anything")), 503, message);
  await expectRefusal(upload("tools/app", basic("nobody", "anything")), 503, message);
});

test("a policy of two factors refuses a password alone", async () => {
  authelia.policy = "two_factor";
  expect(await statusOf(login(credential("two")))).toBe(401);
});

test.each(["down", "silent"] as const)("while Authelia is %s, all works that needs it not", async (mood) => {
  const patience = served.stack.file("gateway/nginx.conf").match(PATIENCE);
  expect(patience).toEqual(["proxy_read_timeout 10s;"]);
  ({ endpoint: gateway } = await serveGateway(
    served.stack,
    served.image,
    changed("config", PATIENCE, "proxy_read_timeout 1s;"),
  ));
  await authelia.become(mood);
  const message = "Authelia does not answer, so its users cannot log in at the moment";
  await expectRefusal(login(basic("new", mood)), 503, message);
  await expectRefusal(upload("tools/app", basic("new", mood)), 503, message);
  expect(await statusOf(tags("tools/app"))).toBe(200);
  expect(await statusOf(answer("GET", "/auth/token"))).toBe(200);
  // Also for a stored login: docker pull sends it for a public image too.
  const scope = "scope=repository%3Atools%2Fapp%3Apull";
  expect(await statusOf(answer("GET", `/auth/token?${scope}`, basic("new", mood)))).toBe(200);
  expect(await statusOf(tags("tools/app", basic("new", mood)))).toBe(200);
  expect(
    await statusOf(answer("GET", "/auth/token?scope=repository%3Ateam%2Fapp%3Apull", basic("new", mood))),
  ).toBe(503);
  expect(await statusOf(login(RIGHT))).toBe(200);
  expect(await statusOf(upload("tools/app", RIGHT))).toBe(202);
});

test("a password that Authelia no longer knows is refused when it is asked again", async () => {
  ({ endpoint: gateway } = await serveGateway(
    served.stack,
    served.image,
    changed("settings", '"remember": 45', `"remember": ${MEMORY_SECONDS}`),
  ));
  for (const who of ["fred", "hal"]) expect(await statusOf(login(credential(who)))).toBe(200);
  authelia.users.hal = { password: "another one" };
  expect(await statusOf(login(credential("hal")))).toBe(200);
  await sleep((MEMORY_SECONDS + 1) * 1000);
  const before = authelia.asked("fred");
  await authelia.become("down");
  await expectRefusal(login(credential("fred")), 503, "Authelia does not answer");
  await authelia.become("answers");
  expect(await statusOf(login(credential("fred")))).toBe(200);
  expect(authelia.asked("fred")).toBe(before + 1);
  expect(await statusOf(login(credential("hal")))).toBe(401);
});

test("guesses are limited, and known users log in meanwhile", async () => {
  expect(await statusOf(login(RIGHT))).toBe(200);
  const statuses: (number | undefined)[] = [];
  const before = authelia.questions.length;
  while (statuses.length < 60 && statuses.at(-1) !== 429)
    statuses.push(await statusOf(login(basic("ann", `guess-${statuses.length}`))));
  expect(statuses.at(-1)).toBe(429);
  expect(statuses.slice(0, -1)).toEqual(Array(statuses.length - 1).fill(401));
  // Nobody judges the last one.
  expect(authelia.questions.length - before).toBe(statuses.length - 1);
  expect(await statusOf(login(basic("ann", "one more")))).toBe(429);
  expect(authelia.questions.length - before).toBe(statuses.length - 1);
  expect(await statusOf(login(RIGHT))).toBe(200);
  expect(await statusOf(tags("tools/app"))).toBe(200);
});

test("with Authelia alone the htpasswd's users are refused", async () => {
  const alone = await serve(configOf("authelia"), { repository: "tools/app" });
  gateway = alone.endpoint;
  expect(await statusOf(login(RIGHT))).toBe(401);
  expect(await statusOf(upload("tools/app", credential("bob")))).toBe(202);
  expect(await statusOf(upload("team/app", credential("ann")))).toBe(202);
  expect(await statusOf(login(basic("ann", PASSWORD)))).toBe(401);
  await alone.stack.stop();
});
