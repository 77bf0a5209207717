import type { Subject } from "./mutation.js";

/** Generations of secrets, and which of them go. */
export const SECRETS: readonly Subject[] = [
  {
    file: "src/credentials/secretKinds.ts",
    tests: ["credentials.test.ts", "swarm.test.ts", "differences.test.ts"],
    mutations: [
      { what: "([1-9]\\d{0,8})$/", by: "(\\d{1,9})$/", rule: "a generation has no leading zero" },
      {
        what: "word === `${stack}_${candidate}`",
        by: "word.endsWith(`_${candidate}`)",
        rule: "a secret of another stack has no generation",
      },
      {
        what: 'variable: "HEPHAESTUS_MACHINE_GENERATION"',
        by: 'variable: "HEPHAESTUS_GENERATION"',
        rule: "machine accounts have generations of their own",
      },
      {
        what: "variable === undefined || generation === undefined",
        by: "variable === undefined",
        rule: "a generation that is not there is not given",
      },
      { what: ".sort((a, b) => a - b);", by: ".sort();", rule: "generation 10 is newer than 9" },
    ],
  },
  {
    file: "src/credentials/machineAccounts.ts",
    tests: ["credentials.test.ts"],
    mutations: [
      {
        what: "EVERYWHERE.includes(kind) || others.includes(kind)",
        by: "true",
        rule: "a stack without a mirror has no account for it",
      },
      { what: "current.length > 0 ? current : all", by: "current", rule: "machine accounts are never lost" },
      {
        what: "users: entries.filter(({ user }) => !isMachineAccount(user)),",
        by: "users: [...entries],",
        rule: "machine accounts are no users",
      },
      {
        what: 'generation === 1 ? "" : `-${generation}`',
        by: "`-${generation}`",
        rule: "names of the first generation have no number",
      },
    ],
  },
  {
    file: "src/secrets/generations.ts",
    tests: ["credentials.test.ts", "swarmSecrets.test.ts", "session.test.ts"],
    mutations: [
      {
        what: "generation !== inUse)\n    .reverse();",
        by: "generation !== inUse);",
        rule: "the newest comes first",
      },
      {
        what: "[inUse, ...others]",
        by: "[...others, inUse]",
        rule: "the one in use comes before newer ones",
      },
      {
        what: "complete.find(isUsed) ?? complete.at(-1)",
        by: "complete.at(-1)",
        rule: "the generation in use is kept",
      },
      {
        what: "complete.find(isUsed) ?? complete.at(-1)",
        by: "complete.find(isUsed) ?? complete.at(0)",
        rule: "the newest complete generation is kept",
      },
      {
        what: "others.every((kind) =>",
        by: "others.some((kind) =>",
        rule: "a generation is complete with every secret",
      },
      {
        what: "generationInUse(found, kind) ?? 0,",
        by: "0,",
        rule: "what a service uses is not made again",
      },
      {
        what: "...generationsOf(found, kind),",
        by: "...[keptGeneration(found, FAMILIES[family].kinds) ?? 0],",
        rule: "an incomplete generation is not made again",
      },
      {
        what: "isDeepStrictEqual(namesOf(before), namesOf(await readStackSecrets(docker, before.stack)))",
        by: "true",
        rule: "that another process removed secrets is noticed",
      },
    ],
  },
  {
    file: "src/secrets/generations.ts",
    tests: ["keptUsers.test.ts"],
    mutations: [
      {
        what: "unseen.length < best.unseen.length",
        by: "unseen.length <= best.unseen.length",
        rule: "of two with the same unknown passwords, the one in use is kept",
      },
      {
        what: "if (best !== undefined && generation > best.generation) continue;",
        by: "",
        rule: "what is newer than the generation in use is no way back",
      },
      {
        what: "best === undefined || unseen.length < best.unseen.length",
        by: "best === undefined",
        rule: "a password that nobody was shown is not started from",
      },
    ],
  },
  {
    file: "src/secrets/secretsReport.ts",
    tests: ["secretsReport.test.ts", "session.test.ts"],
    mutations: [
      {
        what: "generation === keep[familyOf(kind)]",
        by: "generation === keep.users",
        rule: "each family has generations of its own",
      },
      {
        what: 'usedBy.length > 0 ? "in use" : isKept',
        by: "isKept",
        rule: "what a service uses is no orphan",
      },
      {
        what: "secretNamesOf([service]).includes(name)",
        by: "secretNamesOf([service]).some((used) => used.startsWith(name))",
        rule: "generation 1 is not 10",
      },
      {
        what: '?? generationInUse(found, "gateway")',
        by: "",
        rule: "the machine accounts in use are kept before the first deploy with a mirror",
      },
    ],
  },
  {
    file: "src/secrets/removeSecrets.ts",
    tests: ["removeSecrets.test.ts"],
    mutations: [
      {
        what: "kept === undefined || secret.generation === kept",
        by: "kept === undefined",
        rule: "the generations in use stay",
      },
      {
        what: "kept === undefined || secret.generation === kept",
        by: "secret.generation === kept",
        rule: "what nobody looked at stays",
      },
      {
        what: "secret)) removed.push(name);",
        by: "secret) || true) removed.push(name);",
        rule: "what a service uses was not removed",
      },
      {
        what: "if (!(await removeSecretNamed(docker, secretName(stack, kind, generation)))) return false;",
        by: "",
        rule: "a marker goes with its users",
      },
      {
        what: "await removeBaselineOf(docker, stack, removed);",
        by: "",
        rule: "no deploy goes back to users who are gone",
      },
      {
        what: "if (own.includes(secretName(stack, secret.kind, secret.generation)))",
        by: "",
        rule: "a secret of somebody else stays",
      },
      {
        what: "of written.toReversed())",
        by: "of written.slice(1))",
        rule: "all that a run wrote is taken back",
      },
    ],
  },
  {
    file: "src/secrets/handover.ts",
    tests: ["removeSecrets.test.ts"],
    mutations: [
      {
        what: "names.filter((name) => !kept.includes(name))",
        by: "names",
        rule: "the marker of the users in use stays",
      },
    ],
  },
  {
    file: "src/secrets/handover.ts",
    tests: ["keptUsers.test.ts"],
    mutations: [
      {
        what: "!(isOwn(number) && isShown)",
        by: "!isShown",
        rule: "a marker says nothing of the passwords of earlier generations",
      },
      {
        what: "!(isOwn(number) && isShown)",
        by: "!isOwn(number)",
        rule: "a generated password without a marker was shown to nobody",
      },
    ],
  },
  {
    file: "src/swarm/stackConfigs.ts",
    tests: ["removeSecrets.test.ts"],
    mutations: [
      {
        what: "...labelledBy(stack), ",
        by: "",
        rule: "what somebody else has made stays, whatever its name",
      },
      {
        what: "Spec.Name.startsWith(prefix)",
        by: "Spec.Name.includes(prefix)",
        rule: "only markers are markers",
      },
    ],
  },
  {
    file: "src/swarm/leftovers.ts",
    tests: ["removeSecrets.test.ts"],
    mutations: [
      {
        what: "filter((name) => !used.has(name));",
        by: "filter((name) => used.has(name));",
        rule: "a config that a service uses stays",
      },
    ],
  },
  {
    file: "src/swarm/secrets.ts",
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
        what: "ofUsers(LABELS.until, ends",
        by: "ofUsers(LABELS.changed, ends",
        rule: "the end of a user stands in its label",
      },
      {
        what: "      .filter(([user]) => LABEL_USER.test(user))\n",
        by: "",
        rule: "a name that cannot stand in a label does not",
      },
      {
        what: "label.startsWith(LABELS.generated)",
        by: "label.startsWith(LABELS.changed)",
        rule: "a generated password is known as one",
      },
      { what: "&& !Number.isNaN(Date.parse(date)))", by: ")", rule: "a label without a date is none" },
    ],
  },
];
