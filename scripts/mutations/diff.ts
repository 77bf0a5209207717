import type { Subject } from "./mutation.js";

/** What a deploy would change, and the copies of the mirror. */
export const DIFF: readonly Subject[] = [
  {
    file: "src/diff/factChanges.ts",
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
        what: 'resolveImage !== "always" && imageLabel',
        by: "imageLabel",
        rule: "with always an image that somebody changed is put back",
      },
      {
        what: 'resolveImage !== "always" && imageLabel(before) === imageLabel(spec)',
        by: 'resolveImage !== "always"',
        rule: "another image of the config is deployed",
      },
      {
        what: '!(kept && fact === "image")',
        by: "!kept",
        rule: "other facts than the image are compared all the same",
      },
      { what: "!stays.has(Name))", by: "stays.has(Name))", rule: "a service that is too many is removed" },
      {
        what: "return [...changed, ...removed];",
        by: "return changed;",
        rule: "a service that is too many is removed",
      },
      { what: "changes.length === 0\n", by: "changes.length <= 1\n", rule: "one change is a change" },
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
        what: 'name.toUpperCase().replace(/^CAP_/, "")',
        by: "name.toUpperCase()",
        rule: "CAP_SYS_ADMIN is SYS_ADMIN",
      },
      { what: "if (value % size === 0)", by: "if (value >= size)", rule: "1,5 GB is 1536M" },
    ],
  },
  {
    file: "src/diff/composeFile.ts",
    tests: ["composeFile.test.ts", "differences.test.ts"],
    mutations: [
      {
        what: 'operator === ":-" ? !given : given === undefined',
        by: "given === undefined",
        rule: "an empty variable takes the default of :-",
      },
      {
        what: 'if (name === undefined) return "$";',
        by: 'if (name === undefined) return "$$";',
        rule: "$$ is a dollar sign",
      },
      {
        what: 'Number.parseInt(text.replace(/^0o?/, ""), 8)',
        by: 'Number.parseInt(text.replace(/^0o?/, ""), 10)',
        rule: "0400 is octal",
      },
      { what: "1024 ** UNITS", by: "1000 ** UNITS", rule: "1k is 1024 bytes" },
      { what: 'rest.join("=")]', by: 'rest.join("")]', rule: "a value keeps its equals signs" },
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
  {
    file: "src/mirror/regsyncLog.ts",
    tests: ["mirror.test.ts"],
    mutations: [
      { what: '"Image matches for platform": "current",', by: "", rule: "a copy of one platform is a copy" },
      {
        what: 'state: "failed", error });',
        by: 'state: "copied", error });',
        rule: "a copy that failed has failed",
      },
      {
        what: "report.waitsFor = undefined;\n      images",
        by: "images",
        rule: "a wait ends with the next image",
      },
      {
        what: 'state === "current" || state === "refreshed";',
        by: 'state === "current";',
        rule: "a copy whose signatures were looked at is the same",
      },
      {
        what: "[...sources, ...images.filter",
        by: "[...images.filter",
        rule: "a source that cannot be read has failed",
      },
      { what: 'name.replace(/:latest$/, "");', by: "name;", rule: "a repository has no tag" },
      {
        what: 'if (!line.startsWith("{")) return {};',
        by: "",
        rule: "other lines are left out",
        survives: "what does not begin so is no object, and is caught below",
      },
    ],
  },
  {
    file: "src/stack/mirrorSources.ts",
    tests: ["mirror.test.ts"],
    mutations: [
      {
        what: "/[.:]|^localhost$/.test(first)",
        by: "/[.]|^localhost$/.test(first)",
        rule: "a host with a port is a host",
      },
      { what: "/[.:]|^localhost$/.test(first)", by: "/[.:]/.test(first)", rule: "localhost is a host" },
      { what: 'name.includes("/") ? "" : "library/"', by: '"library/"', rule: "joxit/ui is not in library" },
      {
        what: "if (tag === undefined) continue;",
        by: 'if (tag === "") continue;',
        rule: "an image without a tag cannot be mirrored",
      },
      { what: "[...(known?.tags ?? []), tag]", by: "[tag]", rule: "two tags of one image are both copied" },
      {
        what: "Number.parseInt(every, 10) * 24}h",
        by: "Number.parseInt(every, 10)}h",
        rule: "a day has 24 hours",
      },
      {
        what: 'config.regsync.self === "off" ? []',
        by: 'config.regsync.self !== "use" ? []',
        rule: "own images are mirrored before they are used",
      },
      {
        what: 'config.regsync.self !== "use" || tag',
        by: 'config.regsync.self === "off" || tag',
        rule: "own images come from here only where the config says so",
      },
      { what: "`@${digest}`}`;", by: '""}`;', rule: "a digest stays" },
      {
        what: "mirror.filter(({ plainHttp }) => plainHttp)",
        by: "mirror",
        rule: "registries speak TLS unless the config says otherwise",
      },
      {
        what: "ui.enabled || ui.admin.enabled ?",
        by: "ui.enabled ?",
        rule: "the admin UI runs the image, too",
      },
    ],
  },
  {
    file: "src/credentials/mirrorLogins.ts",
    tests: ["mirror.test.ts"],
    mutations: [
      {
        what: "/^[^:]+:./s.test(login)",
        by: "/^[^:]*:/s.test(login)",
        rule: "a login has a user and a password",
      },
      {
        what: "[registry, { auth: Buffer",
        by: "[registry, { ...(entry as object), auth: Buffer",
        rule: "nothing but logins is taken",
      },
      { what: "a < b ? -1 : 1", by: "a < b ? 1 : -1", rule: "the same logins are the same secret" },
      {
        what: 'if (entries.length === 0) throw refuse("has no logins");',
        by: "",
        rule: "no logins are refused",
      },
    ],
  },
  {
    file: "src/storage/storageSplit.ts",
    tests: ["storageSplit.test.ts"],
    mutations: [
      { what: "if (isSharedStorage(config)) return [];", by: "", rule: "a shared storage is not split" },
      { what: ".size < 2) return [];", by: ".size < 3) return [];", rule: "two nodes are two folders" },
      {
        what: 'Status.State === "running" && DesiredState === "running"',
        by: 'Status.State === "running"',
        rule: "a task that shall end does not count",
      },
      {
        what: "const names = [registryOf(config.stack), readerOf(config.stack)];",
        by: "const names = [registryOf(config.stack)];",
        rule: "the reader has the registry's folder",
      },
    ],
  },
];
