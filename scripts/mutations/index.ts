import { ACCESS } from "./access.js";
import { CONFIG } from "./config.js";
import { DELETION } from "./deletion.js";
import { DIFF } from "./diff.js";
import type { Subject } from "./mutation.js";
import { SECRETS } from "./secrets.js";
import { SWARM } from "./swarm.js";

/** All mutations, by the file that they break. */
export const SUBJECTS: readonly Subject[] = [
  ...ACCESS,
  ...CONFIG,
  ...DELETION,
  ...DIFF,
  ...SECRETS,
  ...SWARM,
];
