import type { Subject } from "./mutation.js";

/** What a deploy would change. */
export const DIFF: readonly Subject[] = [
  {
    file: "src/diff/serviceDifferences.ts",
    tests: ["differences.test.ts"],
    mutations: [
      {
        what: "[...from.keys(), ...to.keys()]",
        by: "[...to.keys()]",
        rule: "what shall not be set is a change",
      },
      {
        what: "[...from.keys(), ...to.keys()]",
        by: "[...from.keys()]",
        rule: "what was not set is a change",
      },
      {
        what: "value !== undefined && holdsSecret(fact) ? NOT_SHOWN : value",
        by: "value",
        rule: "a secret in a variable is not shown",
      },
      {
        what: "value !== undefined && holdsSecret(fact) ?",
        by: "holdsSecret(fact) ?",
        rule: "what was not set is not hidden",
      },
      {
        what: "(?:environment|label|container label) /",
        by: "(?:environment|container label) /",
        rule: "a secret in a label is not shown",
      },
      {
        what: "(?:environment|label|container label) /",
        by: "(?:environment|label) /",
        rule: "a secret in a label of a container is not shown",
      },
      {
        what: '["tasks", "placement", "settings", "labels"]',
        by: '["labels", "settings", "placement", "tasks"]',
        rule: "the widest reach is told",
      },
      {
        what: "changes.some((change)",
        by: "changes.every((change)",
        rule: "one change that restarts tasks restarts them",
      },
    ],
  },
  {
    file: "src/diff/serviceDifferences.ts",
    tests: ["differences.test.ts"],
    mutations: [
      {
        what: 'resolveImage !== "always" && before',
        by: "before",
        rule: "with always an image that somebody changed is put back",
      },
      {
        what: "before && after && imageLabel(before) === imageLabel(after)",
        by: "before && after",
        rule: "another image of the config is deployed",
      },
      {
        what: '!(isImageKept && fact === "image")',
        by: "!isImageKept",
        rule: "other facts than the image are compared all the same",
      },
      {
        what: "new Set([...wanted, ...running]",
        by: "new Set([...wanted]",
        rule: "a service that is too many is removed",
      },
      { what: "changes.length === 0)", by: "changes.length <= 1)", rule: "one change is a change" },
    ],
  },
  {
    file: "src/diff/serviceFacts.ts",
    tests: ["differences.test.ts"],
    mutations: [
      { what: '  "TaskTemplate.ForceUpdate",\n', by: "", rule: "a forced update is no difference" },
      {
        what: "isUnset(value) && !NUMBERS.includes(path)",
        by: "isUnset(value)",
        rule: "no replicas are a number of replicas",
      },
      { what: 'if (path === "Labels") return "labels";', by: "", rule: "labels restart no task" },
      {
        what: 'if (path.startsWith("TaskTemplate.Placement")) return "placement";',
        by: "",
        rule: "placement moves only what no longer fits",
      },
      {
        what: "(?:TaskTemplate|EndpointSpec)\\b/",
        by: "(?:TaskTemplate)\\b/",
        rule: "another endpoint restarts tasks",
      },
      {
        what: "before === undefined ? value : `${before}; ${value}`",
        by: "value",
        rule: "two facts of one name are both there",
      },
      {
        what: 'replace(/@sha256:\\w+$/, "");',
        by: 'replace(/@sha256:\\w+$/g, "x");',
        rule: "the digest that the engine adds is no difference",
      },
      {
        what: 'named.includes("@") ? image : withoutDigest',
        by: "withoutDigest",
        rule: "another digest than the pinned one is a difference",
      },
      { what: "short : `${short}:latest`", by: "short : short", rule: "no tag is latest" },
      { what: 'value.join("=")', by: 'value.join("")', rule: "a value keeps its equals signs" },
      { what: "value.toString(8)", by: "value.toString(10)", rule: "a mode is octal" },
      {
        what: 'toUpperCase().replace(/^CAP_/, "")',
        by: "toUpperCase()",
        rule: "CAP_SYS_ADMIN is SYS_ADMIN",
      },
      { what: "if (value % size === 0)", by: "if (value >= size)", rule: "1,5 GB is 1536M" },
    ],
  },
  {
    file: "src/diff/composedService.ts",
    tests: ["composeFile.test.ts", "differences.test.ts"],
    mutations: [
      {
        what: 'isInterpolated ? new Interpolated(value) : value.replaceAll("$$", "$")',
        by: 'value.replaceAll("$$", "$")',
        rule: "a secret has the generation that deploy says",
      },
      {
        what: 'value.replaceAll("$$", "").includes("$")',
        by: 'value.includes("$")',
        rule: "$$ is a dollar sign",
      },
      { what: '{ version: "1.1" }', by: "{}", rule: "0400 is octal" },
    ],
  },
  {
    file: "src/diff/composedService.ts",
    tests: ["composeFile.test.ts", "differences.test.ts"],
    mutations: [
      {
        what: "variables[name] || fallback",
        by: "variables[name] ?? fallback",
        rule: "an empty variable takes the default of :-",
      },
      { what: "1024 ** [", by: "1000 ** [", rule: "1k is 1024 bytes" },
      {
        what: 'FailureAction: "pause", ',
        by: "",
        rule: "the engine pauses a rollback that fails",
      },
      { what: "(goNanoseconds(value) ?? value)", by: "value", rule: "durations are compared as numbers" },
    ],
  },
  {
    file: "src/diff/differenceLines.ts",
    tests: ["differences.test.ts"],
    mutations: [
      {
        what: "from !== undefined && to !== undefined && GENERATION.test(from) && GENERATION.test(to)",
        by: "from !== undefined && to !== undefined && GENERATION.test(from)",
        rule: "a generation that becomes something else is shown whole",
        survives: "a fact that is a generation is one on both sides",
      },
      {
        what: "lines.slice(Math.max(first, 0))",
        by: "lines.slice(Math.max(first + 1, 0))",
        rule: "a diff says where it is",
      },
      {
        what: 'if (action === "create") return',
        by: 'if (action !== "create") return',
        rule: "a service that is not there is created",
      },
    ],
  },
  {
    file: "src/docker/goDuration.ts",
    tests: ["differences.test.ts"],
    mutations: [
      { what: "m: 60e9,", by: "m: 60e6,", rule: "m is minutes" },
      { what: "(?:\\.\\d+)?(?:ns|us", by: "(?:ns|us", rule: "1.5s is a duration" },
      { what: "sum + Number(amount)", by: "Number(amount)", rule: "the parts of a duration are added" },
    ],
  },
];
