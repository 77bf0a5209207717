import type { Subject } from "./mutation.js";

/** Users and their passwords. */
export const USERS: readonly Subject[] = [
  {
    file: "src/credentials/htpasswd.ts",
    tests: ["credentials.test.ts", "userEnds.test.ts"],
    mutations: [
      {
        what: "const MOST_PASSWORD_BYTES = 72;",
        by: "const MOST_PASSWORD_BYTES = 73;",
        rule: "bcrypt reads 72 bytes",
      },
      {
        what: "Buffer.byteLength(value) > MOST",
        by: "Buffer.byteLength(value) >= MOST",
        rule: "72 bytes are not too many",
      },
      {
        what: "Buffer.byteLength(value) > MOST",
        by: "value.length > MOST",
        rule: "bytes count, not characters",
      },
      {
        what: "/\\p{Cc}/u.test(value)",
        by: "/\\n/u.test(value)",
        rule: "no control character is in a password",
      },
      { what: "if (colon < 1)", by: "if (colon < 0)", rule: "a line without a user is refused" },
      {
        what: "if (!machines && isReserved(user)) {",
        by: "if (isReserved(user)) {",
        rule: "machine accounts are read back from the Swarm",
      },
      {
        what: "if (!machines && isReserved(user)) {",
        by: 'if (!machines && user.startsWith("hephaestus-")) {',
        rule: "every reserved name is refused",
      },
      { what: "{53}$/;", by: "{53}/;", rule: "a hash has no tail" },
      { what: "`${where}, line ${index + 1}`", by: "`${where}, line ${index}`", rule: "lines count from 1" },
      {
        what: "if (entries.length === 0) throw",
        by: "if (false) throw",
        rule: "an htpasswd without users is refused",
      },
      { what: "entries.findLast(", by: "entries.find(", rule: "the last line of a name counts" },
      {
        what: "{ ...remarks.get(user), until: day }",
        by: "{ until: day }",
        rule: "a note before the end stays",
      },
      {
        what: "{ ...remarks.get(user), note: value }",
        by: "{ note: value }",
        rule: "an end before the note stays",
      },
      {
        what: '${until.replaceAll("-", "")}',
        by: "${until}",
        rule: "the end is written as the registry's script reads it",
      },
      {
        what: "Number(BCRYPT_HASH.exec(hash)?.[1])",
        by: "Number(BCRYPT_HASH.exec(hash)?.[0])",
        rule: "the cost is in the hash",
      },
    ],
  },
  {
    file: "src/credentials/userNames.ts",
    tests: ["credentials.test.ts", "repositoryRules.test.ts", "config.test.ts"],
    mutations: [
      {
        what: '"[hH][eE][pP][hH][aA][eE][sS][tT][uU][sS][.-]"',
        by: '"hephaestus[.-]"',
        rule: "reserved names are reserved in any spelling",
      },
      {
        what: "new RegExp(`^${RESERVED}`)",
        by: "new RegExp(RESERVED)",
        rule: "only what begins so is reserved",
      },
      {
        what: "(?!${RESERVED})[a-zA-Z0-9]",
        by: "[a-zA-Z0-9]",
        rule: "nobody may be called like an account of the stack",
      },
      {
        what: 'user.startsWith("hephaestus-")',
        by: 'user.startsWith("hephaestus")',
        rule: "the temporary user is no machine account",
      },
      {
        what: "[a-zA-Z0-9][a-zA-Z0-9._@-]*$`);",
        by: "[a-zA-Z0-9][a-zA-Z0-9._@:-]*$`);",
        rule: "no colon is in a user name",
      },
    ],
  },
  {
    file: "src/credentials/userChanges.ts",
    tests: ["userChanges.test.ts", "userEnds.test.ts"],
    mutations: [
      { what: "if (users.length === 1) {", by: "if (users.length === 0) {", rule: "the last user stays" },
      {
        what: "new Map(entries.map((entry) => [entry.user, entry])).values(),",
        by: "new Map(entries.toReversed().map((entry) => [entry.user, entry])).values(),",
        rule: "the last line of a name counts",
      },
      {
        what: "there?.user === login.user && verifyPassword([there], login.user, login.password)",
        by: "there !== undefined && there.hash === entry.hash",
        rule: "another salt is no other password",
      },
      {
        what: "{ ...there, ...entry, ...(opens",
        by: "{ ...entry, ...(opens",
        rule: "a new password leaves the end of a user",
      },
      {
        what: "[remarks.until ?? until, remarks.note ?? note]",
        by: "[remarks.until, remarks.note]",
        rule: "what is not said stays",
      },
      {
        what: "end === undefined || end === NEVER ?",
        by: "end === undefined ?",
        rule: "never takes the end away",
      },
      {
        what: "before.get(user)?.until !== until || before",
        by: "before",
        rule: "a new end is a change",
      },
      {
        what: "users.filter((other) => other.user !== user) };",
        by: "users.filter((other) => other.user === user) };",
        rule: "the others stay",
      },
      {
        what: "? { ...other, ...entry } : other",
        by: "? entry : other",
        rule: "a new password leaves the end of a user",
      },
      {
        what: "former !== undefined && verifyPassword(current, former.user, former.password)",
        by: "former !== undefined",
        rule: "a login that opened nothing does not end",
      },
    ],
  },
  {
    file: "src/users/planUsers.ts",
    tests: ["planUsers.test.ts"],
    mutations: [
      {
        what: "obtainable !== undefined && unseen.includes(obtainable)",
        by: "obtainable !== undefined",
        rule: "nobody is asked for a password that is known",
      },
      {
        what: "...(change !== undefined ? [] : judgeHandOver",
        by: "...(true ? [] : judgeHandOver",
        rule: "that nobody knows the password is told",
      },
    ],
  },
  {
    file: "src/users/newUsers.ts",
    tests: ["planUsers.test.ts"],
    mutations: [
      {
        what: "if (isNothing && plan.machines !== undefined)",
        by: "if (isNothing)",
        rule: "machine accounts that lack a secret are made again",
      },
      {
        what: "if (isNothing && plan.machines !== undefined)",
        by: "if (false)",
        rule: "the same password again is no new generation",
      },
      {
        what: "plan.kept?.facts?.changed ?? new Map()",
        by: "new Map()",
        rule: "the passwords of others are as old as they were",
      },
      {
        what: "kept?.unseen.includes(user) && !isNew(user)",
        by: "kept?.unseen.includes(user) && isNew(user)",
        rule: "a password that nobody saw stays one with the next change",
      },
      {
        what: "[[login.user, generations.users] as const] : []",
        by: "[] : []",
        rule: "the secret says that its password was generated",
      },
      {
        what: "[...change.users, ...machines, ...machineSecrets",
        by: "[...change.users, ...machineSecrets",
        rule: "the machine accounts stay in the htpasswd",
      },
    ],
  },
  {
    file: "src/secrets/handover.ts",
    tests: ["planUsers.test.ts"],
    mutations: [
      {
        what: 'change?.login?.origin === "generated" ?',
        by: "change?.login ?",
        rule: "only a generated password is shown",
      },
    ],
  },
  {
    file: "src/secrets/handover.ts",
    tests: ["handover.test.ts"],
    mutations: [
      {
        what: "if (options.wait) await",
        by: "if (options) await",
        rule: "a password whose rollout is unknown is no known one",
      },
    ],
  },
  {
    file: "src/secrets/operatorSecrets.ts",
    tests: ["planUsers.test.ts", "session.test.ts"],
    mutations: [
      {
        what: "!== content.reveal().trim()) return false;",
        by: "=== undefined) return false;",
        rule: "other keys are a new generation",
      },
      {
        what: "if (isKept) continue;",
        by: "",
        rule: "keys that are kept are no problem",
      },
      {
        what: "if (needed.length === 0) continue;",
        by: "",
        rule: "what the config does not need is not asked for",
      },
    ],
  },
  {
    file: "src/users/userFindings.ts",
    tests: ["ages.test.ts"],
    mutations: [
      {
        what: "days > Number.parseInt(maxAge, 10)",
        by: "days >= Number.parseInt(maxAge, 10)",
        rule: "a password may be as old as the config says",
      },
      {
        what: "facts.changed.size > 0 ? [...facts.changed]",
        by: "facts.changed.size > 1 ? [...facts.changed]",
        rule: "each user has an age of its own",
      },
    ],
  },
  {
    file: "src/credentials/redaction.ts",
    tests: ["secretNames.test.ts", "reporters.test.ts"],
    mutations: [
      {
        what: "PASSWORD|PASSWD|PASSPHRASE|SECRET|",
        by: "PASSWORD|PASSWD|PASSPHRASE|",
        rule: "a secret is not shown",
      },
      { what: "API_?KEY|KEY_?FILE", by: "KEY_?FILE", rule: "an API key is not shown" },
      {
        what: "PRIVATE_?KEY|HTPASSWD|BASICAUTH/i",
        by: "PRIVATE_?KEY|HTPASSWD|BASICAUTH/",
        rule: "in any spelling",
      },
      {
        what: "[^/\\s@]*:[^/\\s@]*@|",
        by: "[^/\\s@]+:[^/\\s@]+@x|",
        rule: "a login in an address is not shown",
      },
      {
        what: '(isVariable || flag !== "") && namesSecret(name)',
        by: "isVariable && namesSecret(name)",
        rule: "--env=NAME=value is a variable, too",
      },
      {
        what: '(isVariable || flag !== "") && namesSecret(name)',
        by: 'flag !== "" && namesSecret(name)',
        rule: "-e NAME=value is a variable, too",
      },
      {
        what: "(?:-e|--env|--env-add)$/",
        by: "(?:--env|--env-add)$/",
        rule: "-e NAME=value is a variable, too",
      },
    ],
  },
];
