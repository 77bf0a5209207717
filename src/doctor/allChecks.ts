import type { Check } from "./check.js";
import { configCheck, fileCheck, versionCheck } from "./configChecks.js";
import { driftCheck } from "./driftCheck.js";
import { engineClockCheck, engineDiskCheck, swarmCheck } from "./engineChecks.js";
import { certificateCheck, frontDoorCheck, frontDoorClockCheck, nameCheck } from "./frontDoorChecks.js";
import { helperCheck, lockCheck, oldConfigCheck, readOnlyCheck } from "./leftoverChecks.js";
import { maintenanceCheck, mirrorCheck, receiverCheck } from "./maintenanceChecks.js";
import { mtuCheck } from "./mtuCheck.js";
import { neighbourCheck } from "./neighbourCheck.js";
import {
  ageCheck,
  authenticationCheck,
  endCheck,
  handOverCheck,
  ruleNameCheck,
  secretUseCheck,
} from "./passwordChecks.js";
import { namespaceCheck, serviceCheck } from "./serviceChecks.js";
import { storageCheck, tagCheck } from "./storageChecks.js";
import { storedLoginCheck } from "./storedLoginCheck.js";
import { traefikCheck } from "./traefikChecks.js";
import { traefikServiceCheck } from "./traefikServiceCheck.js";

/** Everything that doctor checks, by theme. */
export const CHECKS: readonly Check[] = [
  swarmCheck,
  engineClockCheck,
  engineDiskCheck,
  mtuCheck,
  configCheck,
  fileCheck,
  versionCheck,
  serviceCheck,
  namespaceCheck,
  driftCheck,
  secretUseCheck,
  handOverCheck,
  ageCheck,
  endCheck,
  ruleNameCheck,
  storedLoginCheck,
  authenticationCheck,
  storageCheck,
  tagCheck,
  nameCheck,
  certificateCheck,
  frontDoorCheck,
  frontDoorClockCheck,
  traefikCheck,
  traefikServiceCheck,
  neighbourCheck,
  maintenanceCheck,
  mirrorCheck,
  receiverCheck,
  lockCheck,
  readOnlyCheck,
  helperCheck,
  oldConfigCheck,
];
