import type { Subject } from "./mutation.js";

/** Copies of images of other registries. */
export const MIRROR: readonly Subject[] = [
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
        what: "if (entry === undefined) continue;",
        by: "if (entry === undefined) break;",
        rule: "other lines are left out",
      },
    ],
  },
  {
    file: "src/services/mirrorSources.ts",
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
];
