import { globPattern } from "../access/glob.js";
import type { Config } from "../config/resolve.js";
import {
  NOTIFICATION_HEADERS_PATH,
  NOTIFIER_PORT,
  NOTIFY_SCRIPT,
  RECEIVER_PATIENCE,
} from "../stack/notifierService.js";
import { fill } from "./fill.js";
import type { RenderedFile } from "./renderedFiles.js";
import type { Templates } from "./templates.js";

/** The certificates that nginx's official images trust, both those of Alpine and of Debian. */
const TRUSTED = "/etc/ssl/certs/ca-certificates.crt";

/** The files of the notifier: the config of nginx, and the script that it runs. */
export function notifierFiles(
  config: Config,
  templates: Templates,
  header: string,
): { config: RenderedFile; script: RenderedFile } {
  const receivers = config.notifications.map(({ name, url, actions, repositories, headers }) => ({
    name,
    nameJson: JSON.stringify(name),
    url: JSON.stringify(url),
    actions: JSON.stringify(actions),
    patterns: JSON.stringify(repositories.map(globPattern)),
    headers,
  }));
  const isAnySecure = config.notifications.some(({ url }) => url.startsWith("https://"));
  const values = {
    header,
    receivers,
    trusted: isAnySecure ? TRUSTED : undefined,
    scriptPath: NOTIFY_SCRIPT,
    port: NOTIFIER_PORT,
    patience: RECEIVER_PATIENCE,
    headersPath: NOTIFICATION_HEADERS_PATH,
  };
  return {
    config: { path: "notifier/nginx.conf", text: fill(templates.notifier, values) },
    script: { path: "notifier/notify.js", text: fill(templates.notifierScript, values) },
  };
}
