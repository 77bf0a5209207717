import type { Subject } from "./mutation.js";

/** Generations of secrets, and which of them go. */
export const SECRETS: readonly Subject[] = [
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
    file: "src/operation/leftovers.ts",
    tests: ["leftovers.test.ts"],
    mutations: [
      {
        what: "(people !== undefined && people !== keep.people) ||",
        by: "people !== undefined ||",
        rule: "the users in use stay",
      },
      {
        what: "(machines !== undefined && machines !== keep.machines) ||",
        by: "machines !== keep.machines ||",
        rule: "only machine accounts go with theirs",
      },
      {
        what: "keep.storage !== undefined && storage !== keep.storage",
        by: "storage !== keep.storage",
        rule: "keys of a storage stay where nobody looked at them",
      },
      {
        what: "kept !== undefined && of(given) !== kept",
        by: "of(given) !== kept",
        rule: "what people gave stays where nobody looked at it",
      },
      {
        what: "if (gone) removed.push(name);",
        by: "removed.push(name);",
        rule: "what a service uses was not removed",
      },
      {
        what: "name.startsWith(prefix) && !kept.includes(name)",
        by: "!kept.includes(name)",
        rule: "only markers are markers",
      },
      {
        what: "name.startsWith(prefix) && !kept.includes(name)",
        by: "name.startsWith(prefix)",
        rule: "the marker of the users in use stays",
      },
      {
        what: 'if (exitCode === 0) await docker.attempt(["config", "rm", handoverName',
        by: 'await docker.attempt(["config", "rm", handoverName',
        rule: "a marker goes with its users",
      },
      {
        what: "if (saysAbsent(result)) return false;",
        by: "return false;",
        rule: "an engine that does not answer is no proof of anything",
      },
      {
        what: "filter((name) => !used.has(name));",
        by: "filter((name) => used.has(name));",
        rule: "a config that a service uses stays",
      },
    ],
  },
  {
    file: "src/docker/swarmSecrets.ts",
    tests: ["swarm.test.ts", "bucket.test.ts", "swarmSecrets.test.ts"],
    mutations: [
      {
        what: "if (bytes > MOST_SECRET_BYTES) {",
        by: "if (bytes >= MOST_SECRET_BYTES) {",
        rule: "the largest secret is taken",
      },
      {
        what: "Buffer.byteLength(secret.content.reveal())",
        by: "secret.content.reveal().length",
        rule: "bytes count, not characters",
      },
      {
        what: ".map(([user, day]) => `${LABELS.until}${user}=${day}`)",
        by: ".map(([user, day]) => `${LABELS.changed}${user}=${day}`)",
        rule: "the end of a user stands in its label",
      },
      {
        what: ".filter(([user]) => LABEL_USER.test(user))\n      .map(([user, date])",
        by: ".map(([user, date])",
        rule: "a name that cannot stand in a label does not",
      },
      {
        what: "result.exitCode !== 0 && !saysAbsent(result)) throw dockerFailed(inspect, result);",
        by: "false) throw dockerFailed(inspect, result);",
        rule: "an engine that does not answer is no empty Swarm",
      },
      {
        what: '[LABELS.origin] === "generated" ? "generated" : "given"',
        by: '[LABELS.origin] === "generated" ? "given" : "given"',
        rule: "a generated password is known as one",
      },
      { what: "&& !Number.isNaN(Date.parse(date)))", by: ")", rule: "a label without a date is none" },
      { what: "?? generations.at(-1);", by: "?? generations.at(0);", rule: "the newest generation is kept" },
      {
        what: "used.includes(secretName(stack, kind, generation))) ??",
        by: "false) ??",
        rule: "the generation in use is kept",
      },
    ],
  },
];
