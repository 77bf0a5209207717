import type { Subject } from "./mutation.js";

/** Users, passwords, generations of secrets, and what must not be shown. */
export const SECRETS: readonly Subject[] = [
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
    file: "src/credentials/secretNames.ts",
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
  {
    file: "src/credentials/secretKinds.ts",
    tests: ["credentials.test.ts", "swarm.test.ts", "differences.test.ts"],
    mutations: [
      { what: "/^[1-9]\\d{0,8}$/", by: "/^\\d{1,9}$/", rule: "a generation has no leading zero" },
      {
        what: 'name.startsWith(prefix) ? name.slice(prefix.length) : ""',
        by: "name.slice(prefix.length)",
        rule: "a secret of another stack has no generation",
      },
      {
        what: "[MACHINE_VARIABLE]: String(machines),",
        by: "[MACHINE_VARIABLE]: String(people),",
        rule: "machine accounts have generations of their own",
      },
      {
        what: "...(storage === undefined ? {} : {",
        by: "...(storage !== undefined ? {} : {",
        rule: "the storage's generation is given where there is one",
      },
      {
        what: "given[kind] !== undefined).map",
        by: "true).map",
        rule: "a generation that is not there is not given",
      },
    ],
  },
  {
    file: "src/credentials/generationState.ts",
    tests: ["credentials.test.ts"],
    mutations: [
      {
        what: "generation !== inUse.people).reverse();",
        by: "generation !== inUse.people);",
        rule: "the newest comes first",
      },
      {
        what: "[inUse.people, ...others]",
        by: "[...others, inUse.people]",
        rule: "the one in use comes before newer ones",
      },
      {
        what: "inUse.machines !== undefined && machines.includes(inUse.machines)",
        by: "inUse.machines !== undefined",
        rule: "an incomplete generation is not kept",
      },
      {
        what: "return machines.at(-1);",
        by: "return machines.at(0);",
        rule: "the newest complete generation is kept",
      },
      {
        what: "Math.max(0, inUse.people ?? 0, ...people) + 1",
        by: "people.length + 1",
        rule: "a number is never used twice",
      },
      {
        what: "Math.max(0, inUse.people ?? 0, ...people) + 1",
        by: "Math.max(0, ...people) + 1",
        rule: "what a service uses is not made again",
      },
      {
        what: "...machines, ...incomplete) + 1",
        by: "...machines) + 1",
        rule: "an incomplete generation is not made again",
      },
      {
        what: "ofKinds.every((numbers)",
        by: "ofKinds.some((numbers)",
        rule: "a generation is complete with every account",
      },
      {
        what: "hasMirror || EVERYWHERE.includes(kind)",
        by: "true",
        rule: "a stack without a mirror has no account for it",
      },
      { what: "current.length > 0 ? current : all", by: "current", rule: "machine accounts are never lost" },
      {
        what: "people: entries.filter(({ user }) => !isMachineAccount(user)),",
        by: "people: [...entries],",
        rule: "machine accounts are no people",
      },
      {
        what: 'generation === 1 ? "" : `-${generation}`',
        by: "`-${generation}`",
        rule: "names of the first generation have no number",
      },
      {
        what: ".sort((a, b) => a - b);\n  const ofKinds",
        by: ".sort();\n  const ofKinds",
        rule: "generation 10 is newer than 9",
      },
    ],
  },
  {
    file: "src/credentials/people.ts",
    tests: ["people.test.ts", "userEnds.test.ts"],
    mutations: [
      { what: "if (people.length === 1) {", by: "if (people.length === 0) {", rule: "the last user stays" },
      {
        what: "new Map(entries.map((entry) => [entry.user, entry])).values(),",
        by: "new Map(entries.toReversed().map((entry) => [entry.user, entry])).values(),",
        rule: "the last line of a name counts",
      },
      {
        what: "there !== undefined && verifyPassword([there], login.user, login.password)",
        by: "there?.hash === entry.hash",
        rule: "another salt is no other password",
      },
      {
        what: "people.set(entry.user, { ...there, ...entry });",
        by: "people.set(entry.user, entry);",
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
      { what: "more.until !== there?.until || more.note", by: "more.note", rule: "a new end is a change" },
      {
        what: "other.user !== user), changed: [], removed",
        by: "other.user === user), changed: [], removed",
        rule: "the others stay",
      },
      {
        what: "? { ...other, ...entry } : other",
        by: "? entry : other",
        rule: "a new password leaves the end of a user",
      },
    ],
  },
  {
    file: "src/users/keptGeneration.ts",
    tests: ["keptGeneration.test.ts"],
    mutations: [
      {
        what: 'origin !== "generated") return',
        by: 'origin === "given") return',
        rule: "a password of which nothing is noted is known",
      },
      {
        what: "if (await wasHandedOver(docker, stack, generation)) return { generation, isKnown: true };",
        by: "",
        rule: "a password that was handed over is known",
      },
      {
        what: "if (isProven(records, generation)) return",
        by: "if (!isProven(records, generation)) return",
        rule: "a password that nobody was shown is not started from",
      },
      {
        what: "isKnown: false };",
        by: "isKnown: true };",
        rule: "that nothing proves the hand-over is told",
      },
      {
        what: "generation === state.inUse.people || htpasswdFacts(secrets, generation),",
        by: "htpasswdFacts(secrets, generation),",
        rule: "what the registry uses is kept",
      },
      {
        what: "own.length > 1 ||",
        by: "own.length > 0 ||",
        rule: "the deploy that made a password proves nothing",
      },
      {
        what: 'kind !== "deploy");',
        by: 'kind === "deploy");',
        rule: "a rotation is recorded after its hand-over",
      },
    ],
  },
  {
    file: "src/users/secretsReport.ts",
    tests: ["secretsReport.test.ts"],
    mutations: [
      {
        what: 'kind === "http-secret" || generation',
        by: "generation",
        rule: "the http secret outlives rotations",
      },
      {
        what: 'if (kind === "htpasswd") return keep.people;',
        by: 'if (kind === "htpasswd") return keep.machines;',
        rule: "users have generations of their own",
      },
      {
        what: "newestOf(secrets, isStorageSecret);",
        by: "newestOf(secrets, (other) => other === kind);",
        rule: "keys of a storage are one generation",
      },
      { what: "Math.max(newest ?? 0, generation)", by: "newest ?? generation", rule: "the newest is kept" },
      { what: 'usedBy.length > 0 ? "in use" : kept', by: "kept", rule: "what a service uses is no orphan" },
      { what: "SecretName === name),", by: "SecretName.startsWith(name)),", rule: "generation 1 is not 10" },
    ],
  },
  {
    file: "src/users/generations.ts",
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
];
