import type { Subject } from "./mutation.js";

/** Rules of the config. */
export const CONFIG: readonly Subject[] = [
  {
    file: "src/config/rules.ts",
    tests: ["configRules.test.ts", "config.test.ts", "mistakes.test.ts"],
    mutations: [
      {
        what: "registry.version === undefined && registryLine",
        by: "registryLine",
        rule: "a version beside the image says its line",
      },
      {
        what: 'if (config.expose !== "traefik") return undefined;\n  const hosts',
        by: "const hosts",
        rule: "without Traefik there are no hosts to differ",
      },
      { what: "if (ui.enabled) hosts.push", by: "hosts.push", rule: "a UI that is off has no host" },
      {
        what: 'if (ui.admin.enabled) hosts.push(["ui.admin.host", ui.admin.host]);',
        by: "",
        rule: "the admin UI's host differs from the others",
      },
      {
        what: "hosts.slice(0, index).find(",
        by: "hosts.slice(0, index - 1).find(",
        rule: "each host is compared with all before it",
      },
      { what: "if (traefik.tls) return undefined;", by: "", rule: "with TLS its options are in order" },
      {
        what: "/^tls(?:\\.|$)/i.test(name)",
        by: "/^tls$/i.test(name)",
        rule: "an option of TLS switches it on",
      },
      {
        what: "!traefik.tls && traefik.proxies.length === 0",
        by: "traefik.proxies.length === 0",
        rule: "with TLS no proxy is needed",
      },
      {
        what: "name.toLowerCase().startsWith(prefix)",
        by: "name.startsWith(prefix)",
        rule: "Traefik reads labels in any spelling",
      },
      {
        what: '["authelia", "before-auth"].map',
        by: '["authelia"].map',
        rule: "no label changes a middleware of the stack",
      },
      {
        what: 'expose === "ports" && ui.admin.enabled',
        by: 'expose === "ports" && ui.enabled',
        rule: "the admin UI needs Traefik, the library does not",
      },
      {
        what: "ui.admin.enabled && !registry.delete",
        by: "!registry.delete",
        rule: "without an admin UI no deletes are needed",
      },
      {
        what: 'expose === "ports" && ui.enabled && ports',
        by: 'expose === "ports" && ports',
        rule: "a UI that is off has no port",
      },
      {
        what: 'expose === "ports" && ui.enabled && ports',
        by: "ui.enabled && ports",
        rule: "behind Traefik ports do not matter",
      },
      {
        what: 'expose !== "traefik" || path === undefined) return',
        by: "path === undefined) return",
        rule: "with ports an address may be a host",
      },
      { what: '"ui.host": ui.host ?? "" };', by: "};", rule: "the UI's host is a name, too" },
      {
        what: 'expose === "ports" && ui.enabled && ui.access === "sso"',
        by: 'expose === "ports" && ui.access === "sso"',
        rule: "a UI that is off needs no login",
      },
      {
        what: 'users.provider !== "htpasswd" && authelia',
        by: "authelia",
        rule: "without users of Authelia nobody asks it",
      },
      {
        what: "compareVersions(branch, FIRST_FOR_PROGRAM) < 0",
        by: "compareVersions(branch, FIRST_FOR_PROGRAM) <= 0",
        rule: "the first branch that runs the program runs it",
      },
      { what: "/-slim(?:@|$)/", by: "/-slim$/", rule: "a slim image with a digest is slim" },
      {
        what: 'access.length === 0 && registry.pull === "authenticated"',
        by: 'registry.pull === "authenticated"',
        rule: "with rules the library sees what anyone sees",
      },
      {
        what: 'ui.enabled && ui.access === "public"',
        by: 'ui.access === "public"',
        rule: "a UI that is off opens nothing",
      },
      { what: "(?!latest$)", by: "", rule: "latest pins nothing" },
      {
        what: '["registry", "gateway", "ui", "regsync"] as const).map',
        by: '["registry", "gateway", "ui"] as const).map',
        rule: "the mirror's image is pinned, too",
      },
      {
        what: 'expose === "traefik" && networks.internal === traefik.network',
        by: "networks.internal === traefik.network",
        rule: "without Traefik its network does not matter",
      },
      {
        what: 'if (registry.storage.driver !== "s3") return undefined;',
        by: "",
        rule: "an old registry on a disk lists all tags",
      },
      {
        what: "registry.version === 2 || (version",
        by: "(version",
        rule: "a registry 2 lists no tags on S3, whatever its tag says",
      },
      {
        what: "compareVersions(version, FIRST_FOR_S3) < 0",
        by: "compareVersions(version, FIRST_FOR_S3) <= 0",
        rule: "the first right version is right",
      },
      {
        what: 'storage.endpoint?.startsWith("http://")',
        by: 'storage.endpoint?.startsWith("http")',
        rule: "an endpoint with TLS is in order",
      },
      {
        what: "storage.redirect && storage.endpoint",
        by: "storage.endpoint",
        rule: "without redirects clients are sent nowhere",
      },
      {
        what: "  publicUiOpensReads,\n  ...imagesArePinned,",
        by: "  ...imagesArePinned,",
        rule: "a public UI of a closed registry is named",
      },
    ],
  },
  {
    file: "src/config/metricsRules.ts",
    tests: ["metrics.test.ts"],
    mutations: [
      {
        what: "metrics.network === networks.internal",
        by: "metrics.network === networks.internal.slice(1)",
        rule: "Prometheus is not on the stack's own network",
      },
      {
        what: 'expose === "traefik" && metrics.network === traefik.network',
        by: 'expose === "ports" && metrics.network === traefik.network',
        rule: "Prometheus is not on Traefik's network",
      },
      { what: "config.metrics.enabled\n", by: "true\n", rule: "metrics that are off need nothing" },
      {
        what: "metrics.nodeExporters.length > 0 && storage",
        by: "storage",
        rule: "a bucket without node exporters is in order",
      },
    ],
  },
  {
    file: "src/config/mirrorFindings.ts",
    tests: ["mirror.test.ts"],
    mutations: [
      {
        what: 'host === "docker.io" && rest.length === 1',
        by: 'host === "docker.io" && rest.length === 2',
        rule: "an official image is in library",
      },
      {
        what: 'host.replace(/:\\d+$/, "") === own',
        by: "host === own",
        rule: "this registry with a port is this registry",
      },
      {
        what: "config.mirror.slice(0, index)",
        by: "config.mirror.slice(0, 0)",
        rule: "two sources have two targets",
      },
      {
        what: "to === entry.to && from !== entry.from",
        by: "to === entry.to",
        rule: "one source may be named twice",
      },
      {
        what: "!/[*<>=~^]/.test(tag) && isImmutable",
        by: "isImmutable",
        rule: "a glob is no tag that moves",
      },
      {
        what: "(entry.name ?? defaultName(entry.to)) === SELF",
        by: "entry.name === SELF",
        rule: "the default name is a name, too",
      },
    ],
  },
  {
    file: "src/config/imageUpgrade.ts",
    tests: ["upgrade.test.ts"],
    mutations: [
      {
        what: "major || majorOf(one.version) === majorOf(version)",
        by: "true",
        rule: "the line stays without --major",
      },
      {
        what: "compareVersions(one.version, version) > 0);",
        by: "compareVersions(one.version, version) >= 0);",
        rule: "a version is not newer than itself",
      },
      { what: "if (digest !== undefined) return", by: "if (false) return", rule: "a digest is not replaced" },
      {
        what: "if (repository !== name) return",
        by: "if (!repository?.endsWith(name)) return",
        rule: "an unknown image stays",
      },
      {
        what: "/^\\d+\\.\\d+\\.\\d+$/.test(version)",
        by: "/^\\d+\\.\\d+\\.\\d+/.test(version)",
        rule: "a pre-release is no version of the table",
      },
      {
        what: "`${prefix}${name}:${best.version}${suffix}`",
        by: "`${name}:${best.version}${suffix}`",
        rule: "an image stays in its registry",
      },
      {
        what: "`${prefix}${name}:${best.version}${suffix}`",
        by: "`${prefix}${name}:${best.version}`",
        rule: "an image keeps its suffix",
      },
      {
        what: "hasLine && line !== registryLine(from)",
        by: "false",
        rule: "a line that is written stays true",
      },
      {
        what: 'node === undefined && image.section === "registry"',
        by: "false",
        rule: "the registry that a file does not name goes to line 3 too",
      },
      { what: "allowed.at(-1);", by: "allowed.at(0);", rule: "the newest is taken" },
    ],
  },
];
