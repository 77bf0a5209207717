import type { FindingKinds } from "../finding.js";
import { OPERATOR_SECRET_KINDS } from "../secrets/operatorSecrets.js";
import type { Checks } from "./check.js";
import { configChecks } from "./configChecks.js";
import { engineChecks } from "./engineChecks.js";
import { EXAMINATION_KINDS } from "./examine.js";
import { frontDoorChecks } from "./frontDoorChecks.js";
import { leftoverChecks } from "./leftoverChecks.js";
import { maintenanceChecks } from "./maintenanceChecks.js";
import { neighbourChecks } from "./neighbourChecks.js";
import { networkChecks } from "./networkChecks.js";
import { secretChecks } from "./secretChecks.js";
import { serviceChecks } from "./serviceChecks.js";
import { storageChecks } from "./storageChecks.js";
import { traefikChecks } from "./traefikChecks.js";
import { traefikServiceChecks } from "./traefikServiceChecks.js";
import { userChecks } from "./userChecks.js";

const FILES: readonly Checks[] = [
  engineChecks,
  networkChecks,
  configChecks,
  serviceChecks,
  secretChecks,
  userChecks,
  frontDoorChecks,
  traefikChecks,
  traefikServiceChecks,
  neighbourChecks,
  storageChecks,
  maintenanceChecks,
  leftoverChecks,
];

/** Everything that doctor checks. */
export const CHECKS = FILES.flatMap(({ checks }) => checks);

/** What a deploy checks before it changes anything. */
export const PREFLIGHT_CHECKS = CHECKS.filter(({ preflight }) => preflight);

/** Every kind of finding: of the checks, of an examination, and of what a deploy plans. */
export const ALL_KINDS: readonly FindingKinds[] = [
  EXAMINATION_KINDS,
  ...FILES.flatMap(({ kinds }) => kinds),
  OPERATOR_SECRET_KINDS,
];
