import { inspect } from "node:util";
import bcrypt from "bcryptjs";
import { describe, expect, test } from "vitest";
import { credentialsFromEnvironment } from "../../src/commands/credentials.js";
import {
  bcryptCost,
  checkPassword,
  htpasswdEntry,
  parseHtpasswd,
  verifyPassword,
} from "../../src/credentials/htpasswd.js";
import { machineAccounts, machineKinds, splitHtpasswd } from "../../src/credentials/machineAccounts.js";
import { notificationHeadersFrom } from "../../src/credentials/operatorVariables.js";
import { generatePassword, PASSWORD_LENGTH } from "../../src/credentials/password.js";
import { Secret } from "../../src/credentials/secret.js";
import { generationVariables } from "../../src/credentials/secretKinds.js";
import { ExitCode, OperatorError } from "../../src/errors.js";
import { candidates, keptGeneration, nextGeneration } from "../../src/secrets/generations.js";
import type { SecretFacts } from "../../src/swarm/secrets.js";
import fc from "../support/properties.js";

const hash = (password: string) => bcrypt.hashSync(password, 4);
const settings = { username: "admin", bcryptCost: 10 };

test("a secret shows itself nowhere", () => {
  const secret = new Secret("hammer");
  const seen = [
    String(secret),
    `${secret}`,
    JSON.stringify({ secret }),
    inspect({ secret }),
    inspect(secret, { showHidden: true }),
  ];
  for (const text of seen) expect(text).not.toContain("hammer");
  expect(secret.reveal()).toBe("hammer");
});

test.each<[string, object, RegExp]>([
  ["a name", { "X Token": "anvil-7" }, /at ci: has a header whose name HTTP does not allow$/],
  ["a value", { "X-Token": "anvil\n7" }, /at ci\.X-Token: is a value that HTTP does not allow$/],
  ["a secret in the place of a name", { "Bearer anvil": 7 }, /at ci: has a header whose name HTTP does not/],
  ["a value that is no text", { "X-Token": 7 }, /at ci\.X-Token: is a value that HTTP does not allow$/],
])("a header that HTTP does not have is named without its value: %s", (_name, headers, message) => {
  const environment = { REGISTRY_NOTIFICATION_HEADERS: JSON.stringify({ ci: headers }) };
  expect(() => notificationHeadersFrom(environment)).toThrow(message);
  expect(() => notificationHeadersFrom(environment)).not.toThrow(/anvil/);
});

test("headers that are not set are none", () => {
  for (const text of [undefined, ""])
    expect(notificationHeadersFrom({ REGISTRY_NOTIFICATION_HEADERS: text })).toBeUndefined();
});

describe("a generated password", () => {
  test("has its length and no look-alikes, and is another one every time", () => {
    const passwords = Array.from({ length: 200 }, () => generatePassword().reveal());
    expect(new Set(passwords).size).toBe(200);
    for (const password of passwords)
      expect(password).toMatch(new RegExp(`^[2-9A-HJ-NP-Za-km-z]{${PASSWORD_LENGTH}}$`));
    expect(passwords.join("")).not.toMatch(/[0O1lIo]/);
  });
});

describe("an htpasswd", () => {
  test("takes the three spellings of bcrypt, comments and empty lines", () => {
    const bare = hash("a").slice(4);
    const source = `# people\n\nann:$2a$${bare}\r\nbob:$2b$${bare}\n  cy:$2y$${bare}  \n`;
    expect(parseHtpasswd(new Secret(source), "X").map(({ user }) => user)).toEqual(["ann", "bob", "cy"]);
  });

  test.each([
    ["another hash", "ann:{SHA}fEqNCco3Yq9h5ZUglD3CZJT4lBs=", "line 1"],
    ["MD5", `ann:${hash("a")}\nbob:$apr1$x$yyyyyyyyyyyyyyyyyyyyyy`, "line 2"],
    ["a cut hash", `ann:${hash("a").slice(0, -1)}`, "line 1"],
    ["a hash with a tail", `ann:${hash("a")}x`, "line 1"],
    ["no hash", "ann", "line 1"],
    ["no user at all", "# nobody\n", "REGISTRY_HTPASSWD"],
    ["no user", `:${hash("a")}`, "line 1"],
    ["a machine's name", `hephaestus-ui:${hash("a")}`, "line 1"],
    ["the temporary user's name", `hephaestus.temporary:${hash("a")}`, "line 1"],
    ["a reserved name in another spelling", `ann:${hash("a")}\nHEPHAESTUS.x:${hash("a")}`, "line 2"],
  ])("with %s is refused by its line, and the hash is not shown", (_name, source, line) => {
    const refusal = catchError(() => parseHtpasswd(new Secret(source), "REGISTRY_HTPASSWD"));
    expect(refusal.exitCode).toBe(ExitCode.credentials);
    expect(refusal.where).toContain(line);
    const shown = `${refusal.message} ${refusal.where} ${refusal.remedy}`;
    for (const part of source
      .split(/[:\n]/)
      .filter((text) => text.length > 12 && !/^hephaestus/i.test(text))) {
      expect(shown).not.toContain(part);
    }
  });

  test("never shows in an error what it holds", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 12 }), (garbage) => {
        const source = `ann:${garbage}`;
        try {
          parseHtpasswd(new Secret(source), "X");
        } catch (error) {
          const { message, where, remedy } = error as OperatorError;
          expect(`${message}${where}${remedy}`).not.toContain(garbage);
        }
      }),
    );
  });

  test("may have machine accounts where it comes from the Swarm, and names that only hold the reserved word", () => {
    const users = (source: string, machines: boolean) =>
      parseHtpasswd(new Secret(source), "X", machines).map(({ user }) => user);
    expect(users(`hephaestus-ui:${hash("a")}`, true)).toEqual(["hephaestus-ui"]);
    expect(users(`ann.hephaestus-ui:${hash("a")}`, false)).toEqual(["ann.hephaestus-ui"]);
  });

  test("tells the cost of its hashes", () => {
    expect(bcryptCost(htpasswdEntry("ann", new Secret("anvil"), 5))).toBe(5);
  });

  test("has the last line of a name count, as the registry does", () => {
    const people = [
      { user: "ann", hash: hash("old") },
      { user: "ann", hash: hash("new") },
    ];
    expect(verifyPassword(people, "ann", new Secret("new"))).toBe(true);
    expect(verifyPassword(people, "ann", new Secret("old"))).toBe(false);
    expect(verifyPassword(people, "bob", new Secret("new"))).toBe(false);
  });
});

test.each([
  ["", /empty/],
  ["a\nb", /line break/],
  ["a\tb", /control character/],
  ["ü".repeat(37), /72 bytes/],
])("the password %j is refused", (password, reason) => {
  expect(catchError(() => checkPassword(new Secret(password))).message).toMatch(reason);
});

test("a password of as many bytes as bcrypt reads is taken", () => {
  expect(checkPassword(new Secret("ü".repeat(36))).reveal()).toHaveLength(36);
});

describe("the environment's credentials", () => {
  const environment = {
    REGISTRY_HTPASSWD: `ann:${hash("anvil")}`,
    REGISTRY_USERNAME: "ann",
    REGISTRY_RAW_PASSWORD: "anvil",
  };

  test("are taken when they fit each other, and made from the password alone", () => {
    expect(credentialsFromEnvironment(settings, environment)).toMatchObject({ user: "ann", origin: "given" });
    const { users, user } = credentialsFromEnvironment(settings, { REGISTRY_RAW_PASSWORD: "anvil" }) ?? {
      users: [],
    };
    expect(user).toBe("admin");
    expect(bcrypt.getRounds(users[0]?.hash ?? "")).toBe(10);
    expect(credentialsFromEnvironment(settings, { REGISTRY_USERNAME: "ann" })).toBeUndefined();
  });

  test.each([
    ["another password", { REGISTRY_RAW_PASSWORD: "hammer" }, /does not open the account ann/],
    ["another user", { REGISTRY_USERNAME: "bob" }, /has no user bob/],
    ["no password", { REGISTRY_RAW_PASSWORD: "" }, /REGISTRY_RAW_PASSWORD is not/],
  ])("with %s are refused, and nothing of them is shown", (_name, change, reason) => {
    const refusal = catchError(() => credentialsFromEnvironment(settings, { ...environment, ...change }));
    expect(refusal.exitCode).toBe(ExitCode.credentials);
    expect(refusal.message).toMatch(reason);
    expect(`${refusal.message}${refusal.remedy}`).not.toMatch(/hammer|anvil|\$2/);
  });
});

describe("machine accounts", () => {
  test("are those of the services that the stack has", () => {
    expect(machineKinds([])).toEqual(["gateway", "ui"]);
    expect(machineKinds(["mirror"])).toEqual(["gateway", "ui", "mirror"]);
    expect(machineKinds(["mirror", "library"])).toEqual(["gateway", "ui", "library", "mirror"]);
  });

  test.each([
    [1, ["hephaestus-gateway", "hephaestus-ui"]],
    [3, ["hephaestus-gateway-3", "hephaestus-ui-3"]],
  ])("of generation %i open the registry", (generation, names) => {
    const accounts = machineAccounts(generation, ["gateway", "ui"]);
    expect(accounts.map(({ kind }) => kind)).toEqual(["gateway", "ui"]);
    expect(accounts.map(({ entry }) => entry.user)).toEqual(names);
    const basics = [
      /^default "Basic (\S+)";\n$/.exec(accounts[0]?.content.reveal() ?? "")?.[1],
      /^NGINX_PROXY_HEADER_Authorization=Basic (\S+)\n$/.exec(accounts[1]?.content.reveal() ?? "")?.[1],
    ];
    for (const [index, basic] of basics.entries()) {
      const [user, password = ""] = Buffer.from(basic ?? "", "base64")
        .toString()
        .split(":");
      expect(user).toBe(names[index]);
      expect(password).toMatch(/^[0-9a-f]{64}$/);
      expect(bcrypt.compareSync(password, accounts[index]?.entry.hash ?? "")).toBe(true);
    }
    expect(basics[0]).not.toBe(basics[1]);
  });

  test("are told from users, and those of other generations are left out", () => {
    const lines = [
      "ann",
      "hephaestus.temporary",
      "hephaestus-gateway",
      "hephaestus-ui",
      "hephaestus-gateway-2",
      "hephaestus-ui-2",
    ];
    const entries = lines.map((user) => ({ user, hash: "x" }));
    const machinesOf = (generation: number | undefined) => {
      const { users, machines } = splitHtpasswd(entries, generation);
      expect(users.map(({ user }) => user)).toEqual(["ann", "hephaestus.temporary"]);
      return machines.map(({ user }) => user);
    };
    expect(machinesOf(1)).toEqual(["hephaestus-gateway", "hephaestus-ui"]);
    expect(machinesOf(2)).toEqual(["hephaestus-gateway-2", "hephaestus-ui-2"]);
    expect(machinesOf(undefined)).toHaveLength(4);
    expect(machinesOf(7)).toHaveLength(4);
  });
});

describe("generations", () => {
  const names = (...generations: number[]) =>
    generations.flatMap((n) => [`s_htpasswd_${n}`, `s_gateway_${n}`, `s_ui_${n}`]);

  test.each([
    ["nothing", [], [], [], 1, undefined, 1],
    ["one", names(1), [], [1], 2, 1, 2],
    ["several, nothing in use", [...names(1, 3), "s_htpasswd_4"], [], [4, 3, 1], 5, 3, 4],
    ["the one in use, older or not", names(1, 2), ["s_htpasswd_1", "s_gateway_1"], [1, 2], 3, 1, 3],
    [
      "machines that lack a secret",
      ["s_htpasswd_1", "s_gateway_1"],
      ["s_htpasswd_1", "s_gateway_1"],
      [1],
      2,
      undefined,
      2,
    ],
    ["machines that lack a secret and that nothing uses", ["s_gateway_1"], [], [], 1, undefined, 2],
    [
      "what a service uses, though it is not listed",
      [],
      ["s_htpasswd_7", "s_gateway_4"],
      [7],
      8,
      undefined,
      5,
    ],
    ["nine and ten", names(10, 9), [], [10, 9], 11, 10, 11],
    [
      "none of another stack",
      ["t_htpasswd_1", "s_x_htpasswd_1", "s_htpasswd_01", "s_htpasswd_x"],
      [],
      [],
      1,
      undefined,
      1,
    ],
  ] as const)("are found among secrets: %s", (_name, secrets, used, users, next, machines, nextMachine) => {
    const found = { stack: "s", used, secrets: secrets.map((name) => ({ name }) as SecretFacts) };
    expect(candidates(found)).toEqual(users);
    expect(nextGeneration(found, "users")).toBe(next);
    expect(keptGeneration(found, ["gateway", "ui"])).toBe(machines);
    expect(nextGeneration(found, "machines")).toBe(nextMachine);
  });
});

test("compose gets the generation of each secret that the stack has", () => {
  expect(generationVariables({ users: 3, machines: 2 })).toEqual({
    HEPHAESTUS_GENERATION: "3",
    HEPHAESTUS_MACHINE_GENERATION: "2",
  });
  const given = { storage: 4, "mirror-logins": 5, "notification-headers": undefined };
  expect(generationVariables({ users: 3, machines: 2, ...given })).toEqual({
    HEPHAESTUS_GENERATION: "3",
    HEPHAESTUS_MACHINE_GENERATION: "2",
    HEPHAESTUS_S3_GENERATION: "4",
    HEPHAESTUS_MIRROR_GENERATION: "5",
  });
});

function catchError(work: () => unknown): OperatorError {
  try {
    work();
  } catch (error) {
    if (error instanceof OperatorError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}
