import { accessFindings } from "./accessFindings.js";
import { error, type Rule, warning } from "./configIssue.js";
import { metricsRule } from "./metricsRules.js";
import { mirrorFindings } from "./mirrorFindings.js";
import { compareVersions, registryLine, resolve } from "./resolve.js";
import { AUTHELIA_URL } from "./schema/edge.js";
import { isIPv4 } from "./text.js";
import { timeRules } from "./timeRules.js";

const registryLineIsKnown: Rule = ({ registry }) =>
  registry.version === undefined && registryLine(registry.image) === undefined
    ? error(
        "registry.image",
        `the tag of ${registry.image} does not say whether it is a registry 2.x or 3.x (their config paths differ)`,
        "Add registry.version: 2 or registry.version: 3.",
      )
    : undefined;

const hostsDiffer: Rule = (config) => {
  const { registry, ui } = resolve(config);
  if (config.expose !== "traefik") return undefined;
  const hosts: [string, string][] = [["registry.host", registry.host]];
  if (ui.enabled) hosts.push(["ui.host", ui.host]);
  if (ui.admin.enabled) hosts.push(["ui.admin.host", ui.admin.host]);
  for (const [index, [path, host]] of hosts.entries()) {
    const twin = hosts.slice(0, index).find(([, other]) => other === host);
    if (!twin) continue;
    const remedy = "Give each its own host name, since Traefik routes by host name.";
    return error(path, `${path} and ${twin[0]} are both ${host}`, remedy);
  }
  return undefined;
};

/** Without TLS a router has no options of it, and no certificate is asked for. */
const tlsNeedsTraefik: Rule = ({ traefik }) => {
  if (traefik.tls) return undefined;
  const remedy = "Remove it: TLS ends before Traefik (traefik.tls: false).";
  if (traefik.certResolver !== undefined) {
    return error("traefik.certResolver", "a router without TLS (tls: false) needs no certificate", remedy);
  }
  const label = Object.keys(traefik.routerLabels).find((name) => /^tls(?:\.|$)/i.test(name));
  if (label === undefined) return undefined;
  const path = ["traefik", "routerLabels", label];
  return error(path, `${label} would switch TLS on for the router (tls is false)`, remedy);
};

/** Traefik names the proxy before it as the client, unless that one is known. */
const proxyIsKnown: Rule = ({ expose, traefik }) =>
  expose === "traefik" && !traefik.tls && traefik.proxies.length === 0
    ? error(
        "traefik.proxies",
        "TLS ends before Traefik (traefik.tls: false), but nothing names the proxy there: all clients would count as one address, for wrong passwords and in the log",
        "Name the network of that proxy as Traefik sees it, such as proxies: [172.20.0.5/32].",
      )
    : undefined;

/** Names of middlewares that our own labels may define; see services/traefikLabels.ts. */
const labelsKeepOurMiddlewares: Rule = ({ stack, traefik }) => {
  const own = ["authelia", "before-auth"].map((name) => `traefik.http.middlewares.${stack}-${name}.`);
  const label = Object.keys(traefik.labels).find((name) =>
    own.some((prefix) => name.toLowerCase().startsWith(prefix)),
  );
  if (label === undefined) return undefined;
  const path = ["traefik", "labels", label];
  return error(path, `the label ${label} would change a middleware of the stack`, "Give yours its own name.");
};

const adminNeedsTraefik: Rule = ({ expose, ui }) =>
  expose === "ports" && ui.admin.enabled
    ? error("ui.admin.enabled", "the admin UI needs Authelia, which needs Traefik", "Set expose: traefik.")
    : undefined;

const adminNeedsDelete: Rule = ({ registry, ui }) =>
  ui.admin.enabled && !registry.delete
    ? error(
        "ui.admin.enabled",
        "the admin UI can delete, but the registry refuses deletes",
        "Set registry.delete: true.",
      )
    : undefined;

const portsDiffer: Rule = ({ expose, ui, ports }) =>
  expose === "ports" && ui.enabled && ports.registry === ports.ui
    ? error("ports.ui", `the registry and the UI have the same port ${ports.ui}`, "Give each its own port.")
    : undefined;

const traefikNeedsNames: Rule = ({ expose, domain, registry, ui }) => {
  const hosts = { domain, "registry.host": registry.host ?? "", "ui.host": ui.host ?? "" };
  const [path, host] = Object.entries(hosts).find(([, value]) => isIPv4(value)) ?? [];
  if (expose !== "traefik" || path === undefined) return undefined;
  return error(
    path,
    `${host} is an address`,
    "Traefik routes by host name: give a domain, or set expose: ports.",
  );
};

const ssoNeedsTraefik: Rule = ({ expose, ui }) =>
  expose === "ports" && ui.enabled && ui.access === "sso"
    ? error(
        "ui.access",
        "sso needs Traefik, which asks Authelia",
        "Set expose: traefik, or ui.access: public.",
      )
    : undefined;

const autheliaIsReachable: Rule = ({ expose, users, authelia }) =>
  expose === "ports" && users.provider !== "htpasswd" && authelia.url === AUTHELIA_URL
    ? error(
        "authelia.url",
        `with expose: ports the gateway does not reach ${authelia.url}, which is a name on Traefik's network`,
        "Write an address that every node reaches, such as http://192.168.1.5:9091, or set expose: traefik.",
      )
    : undefined;

/**
 * The first stable branch whose image has njs 0.9.9 (js_access). Source: nginx's and njs's lists of changes.
 */
const FIRST_FOR_PROGRAM = "1.30";

const gatewayRunsProgram: Rule = ({ gateway: { image } }) => {
  // Source: the Dockerfiles of the official image: the slim variants lack nginx's modules.
  if (/-slim(?:@|$)/.test(image))
    return error(
      "gateway.image",
      `${image} has no JavaScript module (njs), which runs the gateway's program`,
      "Use the image without -slim.",
    );
  const branch = /:(\d+\.\d+)/.exec(image.replace(/^.*\//, ""))?.[1];
  return branch !== undefined && compareVersions(branch, FIRST_FOR_PROGRAM) < 0
    ? error(
        "gateway.image",
        `${image} cannot run the gateway's program: its JavaScript module (njs) is older than 0.9.9`,
        `Use nginx ${FIRST_FOR_PROGRAM} or newer, such as the default: remove gateway.image.`,
      )
    : undefined;
};

const publicUiOpensReads: Rule = ({ registry, ui, access }) =>
  // With rules the library asks the gateway, as anyone would.
  access.length === 0 && registry.pull === "authenticated" && ui.enabled && ui.access === "public"
    ? {
        ...warning(
          "ui.access",
          "pulls need a login, but anyone can read every repository through the /v2 of the public UI",
          "Set ui.access: sso, or ui.enabled: false, or registry.pull: anonymous.",
        ),
        code: "library-shows-all",
      }
    : undefined;

const imagesArePinned = (["registry", "gateway", "ui", "regsync"] as const).map(
  (part): Rule =>
    (config) => {
      const { image } = config[part];
      if (/(?::(?!latest$)[\w][\w.-]*|@sha256:\w+)$/.test(image.replace(/^.*\//, ""))) return undefined;
      return {
        ...warning(
          `${part}.image`,
          `${image} is not pinned, so a restart may use another version`,
          "Add a version's tag or a digest.",
        ),
        code: "image-not-pinned",
      };
    },
);

const networksDiffer: Rule = ({ expose, networks, traefik }) =>
  expose === "traefik" && networks.internal === traefik.network
    ? error(
        "networks.internal",
        `the stack's own network and Traefik's are both called ${networks.internal}`,
        "Give networks.internal its own name.",
      )
    : undefined;

const oneStorage: Rule = ({ registry: { storage } }) =>
  storage.driver === "filesystem" && storage.path !== undefined && storage.volume !== undefined
    ? error(
        "registry.storage.volume",
        "the images are in a folder or in a volume, not in both",
        "Remove registry.storage.path or registry.storage.volume.",
      )
    : undefined;

/** The version that an image's tag names: 3.1.2. */
const versionOf = (image: string): string | undefined =>
  /:v?(\d+\.\d+\.\d+)/.exec(image.replace(/^.*\//, ""))?.[1];

/** Source: distribution/distribution#4891 and #4903: lists of S3 left out names that extend another name. */
const FIRST_FOR_S3 = "3.1.2";

const s3NeedsNewRegistry: Rule = (config) => {
  const { registry } = resolve(config);
  if (registry.storage.driver !== "s3") return undefined;
  const version = versionOf(registry.image);
  const isOld =
    registry.version === 2 || (version !== undefined && compareVersions(version, FIRST_FOR_S3) < 0);
  return isOld
    ? error(
        "registry.image",
        `${registry.image} hides tags on S3: with a tag 0.1.2, it does not list 0.1.20 (distribution#4891)`,
        "Use registry:3.1.2 or newer.",
      )
    : undefined;
};

const redirectNeedsS3Outside: Rule = ({ registry: { storage } }) =>
  storage.driver === "s3" && storage.redirect && storage.endpoint?.startsWith("http://")
    ? warning(
        "registry.storage.redirect",
        `clients are sent to ${storage.endpoint}, without TLS`,
        "Use an https endpoint that clients reach, or set redirect: false.",
      )
    : undefined;

/** Small rules about values that depend on each other; all of them are reported at once. */
export const rules: readonly Rule[] = [
  registryLineIsKnown,
  hostsDiffer,
  portsDiffer,
  traefikNeedsNames,
  ssoNeedsTraefik,
  autheliaIsReachable,
  gatewayRunsProgram,
  tlsNeedsTraefik,
  proxyIsKnown,
  labelsKeepOurMiddlewares,
  adminNeedsTraefik,
  adminNeedsDelete,
  publicUiOpensReads,
  ...imagesArePinned,
  networksDiffer,
  oneStorage,
  s3NeedsNewRegistry,
  redirectNeedsS3Outside,
  accessFindings,
  mirrorFindings,
  metricsRule,
  ...timeRules,
];
