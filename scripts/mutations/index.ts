import { ACCESS } from "./access.js";
import { BACKUPS } from "./backups.js";
import { BEGIN } from "./begin.js";
import { BUNDLE } from "./bundle.js";
import { CONFIG } from "./config.js";
import { DIFF } from "./diff.js";
import { GATEWAY } from "./gateway.js";
import { LOCK } from "./lock.js";
import { MIRROR } from "./mirror.js";
import type { Subject } from "./mutation.js";
import { RETENTION } from "./retention.js";
import { SECRETS } from "./secrets.js";
import { SHOWN } from "./shown.js";
import { SWARM } from "./swarm.js";
import { USERS } from "./users.js";

/** All mutations, by the file that they break. */
export const SUBJECTS: readonly Subject[] = [
  ...ACCESS,
  ...BACKUPS,
  ...BEGIN,
  ...BUNDLE,
  ...CONFIG,
  ...DIFF,
  ...GATEWAY,
  ...LOCK,
  ...MIRROR,
  ...RETENTION,
  ...SECRETS,
  ...SHOWN,
  ...SWARM,
  ...USERS,
];
