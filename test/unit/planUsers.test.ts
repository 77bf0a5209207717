import { expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import {
  formatHtpasswd,
  htpasswdEntry,
  parseHtpasswd,
  verifyPassword,
} from "../../src/credentials/htpasswd.js";
import { storageKeysFrom } from "../../src/credentials/operatorVariables.js";
import { Secret } from "../../src/credentials/secret.js";
import {
  type Credentials,
  changePassword,
  mergeUsers,
  removeUser,
  type UserChange,
  updateUser,
} from "../../src/credentials/userChanges.js";
import { toHandOver } from "../../src/secrets/handover.js";
import { chooseOperatorSecrets } from "../../src/secrets/operatorSecrets.js";
import type { SecretsPlan } from "../../src/secrets/secretsPlan.js";
import type { Session } from "../../src/session.js";
import { withCredentials } from "../../src/users/newUsers.js";
import { bringing, planUsers, type UserWishes } from "../../src/users/planUsers.js";
import { FakeEngine, refused } from "../support/fakeEngine.js";
import { named, task } from "./swarmObjects.js";

/** What a run plans for the users, from what is in the Swarm. Nothing is written. */

const COST = 4;
const entry = (user: string, password: string) => htpasswdEntry(user, new Secret(password), COST);
const HTPASSWD = formatHtpasswd([
  { ...entry("ann", "anvil"), until: "2999-01-01" },
  entry("bob", "bellows"),
  entry("hephaestus-gateway", "machine"),
  entry("hephaestus-ui", "machine"),
]).reveal();

const LABELS = { "hephaestus.stack": "forge", "hephaestus.changed.bob": "2026-01-01T00:00:00Z" };
const ALL = ["htpasswd_1", "gateway_1", "ui_1"];

/** A session with a stack that has these secrets, all in use. Commands that would change something fail. */
function sessionOf(secrets: readonly string[], more: { config?: string; unseen?: string } = {}): Session {
  const names = secrets.map((name) => `forge_${name}`);
  const Labels = { ...LABELS, ...(more.unseen ? { [`hephaestus.generated.${more.unseen}`]: "1" } : {}) };
  const registry = named("forge_registry", {
    "hephaestus.stack": "forge",
    "com.docker.stack.namespace": "forge",
  });
  registry.Spec.TaskTemplate.ContainerSpec.Secrets = names.map((SecretName) => ({ SecretName }));
  const engine = new FakeEngine({
    services: [registry],
    secrets: names.map((Name) => ({ Spec: { Name, Labels } })),
    tasks: [task("running", { Spec: registry.Spec.TaskTemplate })],
  });
  engine.containers = [
    {
      Id: "container",
      Labels: { "com.docker.swarm.service.name": "forge_registry", "com.docker.swarm.task.id": "t1" },
    },
    { Id: "container", Labels: { "com.docker.swarm.service.id": "reader" } },
  ];
  engine.trouble = (asked) =>
    /^GET |^DELETE \/services\/reader$/.test(asked) ? undefined : refused(403, "nothing is written");
  const docker = engine.docker(undefined, (args) => {
    const words = args.join(" ");
    if (words === "exec container cat /run/secrets/htpasswd") return HTPASSWD.trimEnd();
    if (words === "exec container cat /run/secrets/secret") return S3_FILE.trimEnd();
    if (words.startsWith("service create")) return "reader";
    throw new Error(`docker ${words}`);
  });
  const { config } = loadConfig(`domain: example.com\nstack: forge\n${more.config ?? ""}`, "a config", {});
  return { config, docker, options: { dryRun: false }, environment: {} } as unknown as Session;
}

const planned = async (session: Session, wishes: UserWishes) => {
  const { plan, findings } = await planUsers(session, wishes);
  return { plan, messages: findings.map(({ message }) => message) };
};

/** The names of what would be written, and the lines of the htpasswd. */
const written = ({ accounts }: SecretsPlan) =>
  accounts.map(({ kind, generation }) => `${kind}_${generation}`);
const usersIn = ({ accounts }: SecretsPlan) =>
  parseHtpasswd(accounts.at(-1)?.content ?? new Secret(""), "plan", true);

const credentials = (password: string, origin: "given" | "generated" = "given"): Credentials => ({
  user: "ann",
  password: new Secret(password),
  origin,
  users: [entry("ann", password)],
});

test("a new password is one more generation of the htpasswd alone, and its login is proved and shown", async () => {
  const password = { user: "ann", password: new Secret("hammer"), origin: "generated", cost: COST } as const;
  const { plan, messages } = await planned(sessionOf(ALL), { change: changePassword(password) });
  expect(messages).toEqual([]);
  expect(written(plan)).toEqual(["htpasswd_2"]);
  expect(plan).toMatchObject({
    kept: { generation: 1 },
    generations: { users: 2, machines: 1 },
    note: "new password of ann until 2999-01-01",
    login: { user: "ann" },
  });
  expect(toHandOver(plan)?.password.reveal()).toBe("hammer");
  const [htpasswd] = plan.accounts;
  expect(htpasswd).toMatchObject({
    generated: new Map([["ann", 2]]),
    ends: new Map([["ann", "2999-01-01"]]),
  });
  // Bob's password is as old as it was.
  expect(htpasswd?.changed?.get("bob")).toEqual(new Date("2026-01-01T00:00:00Z"));
  expect(htpasswd?.changed?.get("ann")?.getTime()).toBeGreaterThan(Date.parse("2026-01-01"));
  const users = usersIn(plan);
  expect(users.map(({ user }) => user)).toEqual(["ann", "bob", "hephaestus-gateway", "hephaestus-ui"]);
  expect(verifyPassword(users, "ann", new Secret("hammer"))).toBe(true);
});

test("a given password, and a removal, are shown to nobody", async () => {
  const given = await planned(sessionOf(ALL), bringing(credentials("hammer")));
  expect([given.plan.login?.user, toHandOver(given.plan)]).toEqual(["ann", undefined]);
  const removal = await planned(sessionOf(ALL), { change: removeUser("bob") });
  expect([removal.plan.login, toHandOver(removal.plan), removal.plan.note]).toEqual([
    undefined,
    undefined,
    "without bob",
  ]);
});

test("the same password again changes nothing, and is proved all the same", async () => {
  const { plan } = await planned(sessionOf(ALL), bringing(credentials("anvil")));
  expect(plan).toMatchObject({ change: undefined, accounts: [], generations: { users: 1, machines: 1 } });
  expect(plan.login?.password.reveal()).toBe("anvil");
});

test("machine accounts that lack a secret are made again, before the htpasswd, and the users stay", async () => {
  const { plan } = await planned(sessionOf(["htpasswd_1", "gateway_1"]), {});
  expect(written(plan)).toEqual(["gateway_2", "ui_2", "htpasswd_2"]);
  expect(plan).toMatchObject({ note: "new machine accounts", login: undefined });
  const users = usersIn(plan).map(({ user }) => user);
  expect(users).toEqual(expect.arrayContaining(["ann", "bob", "hephaestus-gateway-2", "hephaestus-ui-2"]));
});

test("a stack without users gets those that it is given, or needs a password, or somebody to ask", async () => {
  const first = await planned(sessionOf([]), bringing(credentials("anvil")));
  expect(written(first.plan)).toEqual(["gateway_1", "ui_1", "htpasswd_1"]);
  expect(first.plan).toMatchObject({ kept: undefined, note: "new password of ann" });
  expect((await planned(sessionOf([]), { obtainable: "ann" })).plan).toMatchObject({
    needsCredentials: true,
  });
  expect((await planned(sessionOf([]), {})).messages).toEqual([
    "there is no password yet, and nobody to ask for one",
  ]);
  const rotation = await planned(sessionOf([]), { change: removeUser("ann") });
  expect(rotation.messages).toEqual(["forge has no users yet"]);
});

test("a generated password that nobody saw is made again if there is somebody to ask, and told otherwise", async () => {
  const unseen = () => sessionOf(ALL, { unseen: "ann" });
  const asked = await planned(unseen(), { obtainable: "ann" });
  expect([asked.plan.needsCredentials, asked.messages]).toEqual([true, []]);
  const obtained = await withCredentials(unseen(), asked.plan, credentials("hammer", "generated"));
  expect(written(obtained)).toEqual(["htpasswd_2"]);
  expect(toHandOver(obtained)?.user).toBe("ann");
  expect((await planned(sessionOf(ALL), { obtainable: "ann" })).plan.needsCredentials).toBe(false);
  // Another user's password would not help.
  const other = await planned(unseen(), { obtainable: "bob" });
  expect([other.plan.needsCredentials, other.messages.length]).toEqual([false, 1]);
  const told = await planned(unseen(), {});
  expect(told.plan.needsCredentials).toBe(false);
  expect(told.messages).toEqual(["nothing shows that anyone was given the generated password of ann"]);
});

test.each<[string, UserChange, Array<[string, number]>]>([
  ["taken over by a change of another user", removeUser("bob"), [["ann", 1]]],
  ["taken over by a change that changes no password", updateUser("ann", { note: "smith" }), [["ann", 1]]],
  [
    "taken over beside a new one of another user",
    changePassword({ user: "bob", password: new Secret("hammer"), origin: "generated", cost: COST }),
    [
      ["ann", 1],
      ["bob", 2],
    ],
  ],
  [
    "gone with a given password",
    changePassword({ user: "ann", password: new Secret("hammer"), origin: "given", cost: COST }),
    [],
  ],
  ["gone if somebody gives the same password", mergeUsers(credentials("anvil")), []],
  ["gone with its user", removeUser("ann"), []],
])("that nobody saw a generated password is %s", async (_what, change, generated) => {
  const { plan } = await planned(sessionOf(ALL, { unseen: "ann" }), { change });
  expect([...(plan.accounts.at(-1)?.generated ?? ["no new generation"])]).toEqual(generated);
});

const BUCKET =
  "registry: { image: 'registry:3.1.2', storage: { driver: s3, bucket: images, region: eu-central-1 } }";
const KEYS = { REGISTRY_S3_ACCESS_KEY_ID: "AKIA", REGISTRY_S3_SECRET_ACCESS_KEY: "anvil" };
const S3_FILE = storageKeysFrom(KEYS, ["s3"]).s3?.reveal() ?? "";

test("an obtained password leaves what the operator gave for the storage", async () => {
  const session = { ...sessionOf([], { config: BUCKET }), environment: KEYS };
  const { plan } = await planned(session, { obtainable: "ann" });
  const { secrets, generations, findings } = await chooseOperatorSecrets(session, plan.found);
  expect(findings).toEqual([]);
  const whole = { ...plan, given: secrets, generations: { ...plan.generations, ...generations } };
  const after = await withCredentials(session, whole, credentials("hammer"));
  expect(after.given.map(({ kind, generation }) => `${kind}_${generation}`)).toEqual(["s3_1"]);
  expect(after.generations).toEqual({ users: 1, machines: 1, storage: 1 });
});

test.each([
  ["kept where the environment has nothing", {}, 1, [], []],
  ["kept if the same keys come again", KEYS, 1, [], []],
  ["made again from other keys", { ...KEYS, REGISTRY_S3_ACCESS_KEY_ID: "other" }, 2, ["s3_2"], []],
  [
    "made again from another secret key of the same id",
    { ...KEYS, REGISTRY_S3_SECRET_ACCESS_KEY: "bellows" },
    2,
    ["s3_2"],
    [],
  ],
])("the keys of a storage that are in use are %s", async (_what, environment, generation, given, findings) => {
  const session = { ...sessionOf([...ALL, "s3_1"], { config: BUCKET }), environment };
  const { plan } = await planned(session, {});
  const chosen = await chooseOperatorSecrets(session, plan.found);
  expect(chosen.generations).toEqual({ storage: generation });
  expect(chosen.secrets.map((secret) => `${secret.kind}_${secret.generation}`)).toEqual(given);
  expect(chosen.findings).toEqual(findings);
});

test("keys that are needed and nowhere are a problem with its remedy", async () => {
  const session = sessionOf(ALL, { config: BUCKET });
  const { plan } = await planned(session, {});
  expect((await chooseOperatorSecrets(session, plan.found)).findings).toEqual([
    {
      ...{ code: "secret-not-given", theme: "Passwords and access", severity: "error" },
      evidence: "no secret of the kind s3, and no variable with its content",
      message: "the keys of the S3 storage are not in the Swarm yet",
      remedy: "Set REGISTRY_S3_ACCESS_KEY_ID, REGISTRY_S3_SECRET_ACCESS_KEY.",
    },
  ]);
});
