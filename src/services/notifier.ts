import { globPattern } from "../access/glob.js";
import type { Config } from "../config/resolve.js";
import type { ParsedConfig } from "../config/schema/index.js";
import { fill } from "../render/fill.js";
import { NOTIFIER_PORT } from "./addresses.js";
import type { Service } from "./composeModel.js";
import { nginxService } from "./nginx.js";
import { UNPRIVILEGED } from "./parts.js";
import { secretMount } from "./secretMounts.js";
import type { StackService, Texts } from "./stackService.js";

/** Where nginx finds the script that passes events on. */
const NOTIFY_SCRIPT = "/etc/nginx/notify.js";

/** Headers of each receiver, as JSON. */
const NOTIFICATION_HEADERS_PATH = "/run/secrets/notification-headers";

/** Milliseconds that a receiver has to answer. */
const RECEIVER_PATIENCE = 10_000;

/** Whether the config has receivers of notifications. */
export const hasNotifications = ({ notifications }: Pick<ParsedConfig, "notifications">): boolean =>
  notifications.length > 0;

/** Whether some receiver gets headers that are secret. */
export const hasNotificationHeaders = ({ notifications }: Pick<ParsedConfig, "notifications">): boolean =>
  notifications.some(({ headers }) => headers);

/** The certificates that nginx's official images trust, both those of Alpine and of Debian. */
const TRUSTED = "/etc/ssl/certs/ca-certificates.crt";

/**
 * The service `notifier`: stock nginx between the registry and the receivers of its events. It is on the
 * stack's own network alone, so that no other service can send events through it.
 */
export function notifier(config: Config): StackService | undefined {
  if (!hasNotifications(config)) return undefined;
  return { service: service(config), files: (texts) => files(config, texts) };
}

function files(config: Config, { templates, header }: Texts) {
  const values = valuesOf(config, header);
  return {
    notifier: { path: "notifier/nginx.conf", text: fill(templates.notifier, values) },
    "notifier-script": { path: "notifier/notify.js", text: fill(templates.notifierScript, values) },
  };
}

function valuesOf(config: Config, header: string) {
  const receivers = config.notifications.map(({ name, url, actions, repositories, headers }) => ({
    name,
    nameJson: JSON.stringify(name),
    url: JSON.stringify(url),
    actions: JSON.stringify(actions),
    patterns: JSON.stringify(repositories.map(globPattern)),
    headers,
  }));
  const isAnySecure = config.notifications.some(({ url }) => url.startsWith("https://"));
  return {
    header,
    receivers,
    trusted: isAnySecure ? TRUSTED : undefined,
    scriptPath: NOTIFY_SCRIPT,
    port: NOTIFIER_PORT,
    patience: RECEIVER_PATIENCE,
    headersPath: NOTIFICATION_HEADERS_PATH,
  };
}

const service = (config: Config): Service =>
  nginxService(config, {
    networks: [config.networks.internal],
    configs: [
      { source: "notifier", target: "/etc/nginx/nginx.conf" },
      { source: "notifier-script", target: NOTIFY_SCRIPT },
    ],
    ...(hasNotificationHeaders(config)
      ? { secrets: [secretMount("notification-headers", "notification-headers", UNPRIVILEGED)] }
      : {}),
    health: `http://127.0.0.1:${NOTIFIER_PORT}/healthz`,
    resources: {
      limits: { cpus: 0.5, memory: "128M" },
      reservations: { cpus: undefined, memory: undefined },
    },
  });
