import { inspect } from "node:util";
import bcrypt from "bcryptjs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { credentialsFromEnvironment } from "../../src/commands/credentials.js";
import {
  currentGeneration,
  generationContents,
  MACHINE_ACCOUNTS,
  nextGeneration,
  readGenerations,
} from "../../src/credentials/generation.js";
import {
  checkPassword,
  htpasswdEntry,
  parseHtpasswd,
  verifyPassword,
} from "../../src/credentials/htpasswd.js";
import { generatePassword, PASSWORD_LENGTH } from "../../src/credentials/password.js";
import { Secret } from "../../src/credentials/secret.js";
import { ExitCode, OperatorError } from "../../src/errors.js";

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
    ["no hash", "ann", "line 1"],
    ["no user", `:${hash("a")}`, "line 1"],
    ["a machine's name", `hephaestus-ui:${hash("a")}`, "line 1"],
  ])("with %s is refused by its line, and the hash is not shown", (_name, source, line) => {
    const refusal = catchError(() => parseHtpasswd(new Secret(source), "REGISTRY_HTPASSWD"));
    expect(refusal.exitCode).toBe(ExitCode.credentials);
    expect(refusal.where).toContain(line);
    const shown = `${refusal.message} ${refusal.where} ${refusal.remedy}`;
    for (const part of source
      .split(/[:\n]/)
      .filter((text) => text.length > 12 && !text.startsWith("hephaestus"))) {
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
      { seed: 7 },
    );
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
  ["ü".repeat(37), /72 bytes/],
])("the password %j is refused", (password, reason) => {
  expect(catchError(() => checkPassword(new Secret(password))).message).toMatch(reason);
});

describe("the environment's credentials", () => {
  const environment = {
    REGISTRY_HTPASSWD: `ann:${hash("anvil")}`,
    REGISTRY_USERNAME: "ann",
    REGISTRY_RAW_PASSWORD: "anvil",
  };

  test("are taken when they fit each other, and made from the password alone", () => {
    expect(credentialsFromEnvironment(settings, environment)).toMatchObject({ user: "ann", origin: "given" });
    const { people, user } = credentialsFromEnvironment(settings, { REGISTRY_RAW_PASSWORD: "anvil" }) ?? {
      people: [],
    };
    expect(user).toBe("admin");
    expect(bcrypt.getRounds(people[0]?.hash ?? "")).toBe(10);
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

describe("a generation", () => {
  test("has machine accounts that open the registry, and everybody's line", () => {
    const contents = generationContents([htpasswdEntry("ann", new Secret("anvil"), 4)]);
    const lines = contents.htpasswd.reveal().trim().split("\n");
    expect(lines.map((line) => line.split(":")[0])).toEqual(["ann", ...Object.values(MACHINE_ACCOUNTS)]);
    const basics = {
      gateway: /^default "Basic (\S+)";\n$/.exec(contents.gateway.reveal())?.[1],
      ui: /^NGINX_PROXY_HEADER_Authorization=Basic (\S+)\n$/.exec(contents.ui.reveal())?.[1],
    };
    for (const kind of ["gateway", "ui"] as const) {
      const [user, password = ""] = Buffer.from(basics[kind] ?? "", "base64")
        .toString()
        .split(":");
      const line = lines.find((candidate) => candidate.startsWith(`${user}:`)) ?? "";
      expect(user).toBe(MACHINE_ACCOUNTS[kind]);
      expect(password).toMatch(/^[0-9a-f]{64}$/);
      expect(bcrypt.compareSync(password, line.slice(line.indexOf(":") + 1))).toBe(true);
    }
    expect(basics.gateway).not.toBe(basics.ui);
  });

  const names = (...generations: number[]) =>
    generations.flatMap((n) => [`s_htpasswd_${n}`, `s_gateway_${n}`, `s_ui_${n}`]);

  test.each([
    ["nothing", [], [], undefined, 1],
    ["one", names(1), [], 1, 2],
    ["the newest complete one", [...names(1, 3), "s_htpasswd_4"], [], 3, 5],
    ["the one in use, older or not", names(1, 2), ["s_htpasswd_1", "s_http-secret_1"], 1, 3],
    [
      "none of another stack",
      ["t_htpasswd_1", "s_x_htpasswd_1", "s_htpasswd_01", "s_htpasswd_x"],
      [],
      undefined,
      1,
    ],
  ])("is found among secrets: %s", (_name, secrets, used, current, next) => {
    const state = readGenerations("s", secrets as string[], used as string[]);
    expect(currentGeneration(state)).toBe(current);
    expect(nextGeneration(state)).toBe(next);
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
