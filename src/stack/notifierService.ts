import type { Config } from "../config/resolve.js";
import type { ParsedConfig } from "../config/schema/index.js";
import type { Service } from "./composeModel.js";
import { nginxService } from "./nginxService.js";
import { secretMount } from "./secretMounts.js";
import { UNPRIVILEGED } from "./service.js";

export const NOTIFIER_PORT = 8080;

/** Where nginx finds the script that passes events on. */
export const NOTIFY_SCRIPT = "/etc/nginx/notify.js";

/** Headers of each receiver, as JSON. */
export const NOTIFICATION_HEADERS_PATH = "/run/secrets/notification-headers";

/** Milliseconds that a receiver has to answer. */
export const RECEIVER_PATIENCE = 10_000;

/** Whether the config has receivers of notifications. */
export const hasNotifications = ({ notifications }: Pick<ParsedConfig, "notifications">): boolean =>
  notifications.length > 0;

/** Whether some receiver gets headers that are secret. */
export const hasNotificationHeaders = ({ notifications }: Pick<ParsedConfig, "notifications">): boolean =>
  notifications.some(({ headers }) => headers);

/** Where the registry sends its events: the address of a receiver in the notifier. */
export const notifierUrl = (config: Config, receiver: string): string =>
  `http://${config.stack}_notifier:${NOTIFIER_PORT}/${receiver}`;

/**
 * The service `notifier`: stock nginx between the registry and the receivers of its events. It is on the stack's own
 * network alone, so that no other service can send events through it.
 */
export function notifierService(config: Config): Service {
  return nginxService(config, {
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
}
