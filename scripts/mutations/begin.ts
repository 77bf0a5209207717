import type { Subject } from "./mutation.js";

/** What a new config begins with, what a first push is, and which versions are too old. */
export const BEGIN: readonly Subject[] = [
  {
    file: "src/commands/initFound.ts",
    tests: ["initFound.test.ts"],
    mutations: [
      {
        what: "if (!Swarm.ControlAvailable) return NOTHING;",
        by: "",
        rule: "a worker offers nothing",
      },
      { what: "managers.length > 1", by: "managers.length > 0", rule: "a single manager is not named" },
      {
        what: ".sort((a, b) => rank(a, sight) - rank(b, sight))",
        by: "",
        rule: "the node that answers is the first",
      },
      {
        what: "sight.hasIpvs === false",
        by: "!sight.hasIpvs",
        rule: "a kernel that is not known gets no dnsrr",
      },
      {
        what: "all.find((service) => portOf(service, 443) !== undefined) ?? all[0]",
        by: "all[0]",
        rule: "the Traefik with port 443 counts",
      },
      {
        what: "options.get(`${provider}.network`) ?? networkOf",
        by: "networkOf",
        rule: "the provider's own network counts",
      },
      {
        what: ".sort((a, b) => shared(b) - shared(a))",
        by: "",
        rule: "the network that services share counts",
      },
      {
        what: 'filter(([name]) => name !== "traefik.enable")',
        by: "filter(() => true)",
        rule: "no label is set twice",
      },
      {
        what: "resolvers.length === 1 ? resolvers[0] : undefined",
        by: "resolvers[0]",
        rule: "of several resolvers none is guessed",
      },
      {
        what: 'names.find((one) => one === "authelia") ?? names[0]',
        by: "names[0]",
        rule: "the usual middleware is taken of several",
      },
      { what: "Labels[OWNER_LABEL] === undefined", by: "true", rule: "our own registry is not adopted" },
    ],
  },
  {
    file: "src/commands/firstPush.ts",
    tests: ["firstPush.test.ts"],
    mutations: [
      { what: "!name.startsWith(`${host}/`) &&", by: "", rule: "what is there already is not pushed again" },
      { what: ".push,", by: ".pull,", rule: "only what the user may push is shown" },
      { what: "a.size - b.size ||", by: "", rule: "the smallest image is shown" },
    ],
  },
  {
    file: "src/doctor/engineChecks.ts",
    tests: ["swarm.test.ts", "preflight.test.ts"],
    mutations: [
      {
        what: "isOlderApi(minApiVersion, OLDEST_API) ? OLDEST_API : minApiVersion",
        by: "OLDEST_API",
        rule: "what the engine asks for counts",
      },
      {
        what: "isOlderApi(minApiVersion, OLDEST_API) ? OLDEST_API : minApiVersion",
        by: "minApiVersion",
        rule: "what hephaestus asks for counts with every engine",
      },
      {
        what: "FIRST_WITH[oldest] ?? serverVersion",
        by: '"20.10"',
        rule: "the remedy is enough for the engine",
      },
    ],
  },
  {
    file: "src/swarm/engine.ts",
    tests: ["preflight.test.ts"],
    mutations: [
      {
        what: 'if (result.stdout.trim() === "") throw',
        by: "if (result.exitCode !== 0) throw",
        rule: "a command that the engine refuses says its version",
      },
    ],
  },
  {
    file: "src/doctor/configChecks.ts",
    tests: ["diagnosis.test.ts"],
    mutations: [
      {
        what: "if (version !== 2) return [];",
        by: 'if (!image.startsWith("registry:2.")) return [];',
        rule: "every image of line 2 has ended",
      },
    ],
  },
];
