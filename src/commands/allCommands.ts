import { addAccess } from "./access.js";
import { addAdopt } from "./adopt.js";
import { addAudit } from "./audit.js";
import { addBackup } from "./backup.js";
import { addBundle } from "./bundle.js";
import { addCompletion } from "./completion.js";
import { addDeploy } from "./deploy.js";
import { addDestroy } from "./destroy.js";
import { addDiff } from "./diff.js";
import { addDoctor } from "./doctor.js";
import { addGc } from "./gc.js";
import { addHistory, addRollback } from "./history.js";
import { addInit } from "./init.js";
import { addLock } from "./lock.js";
import { addLogins } from "./logins.js";
import { addLogs } from "./logs.js";
import { addMaintain } from "./maintain.js";
import { addMirror } from "./mirror.js";
import type { AddCommand } from "./options.js";
import { addPruneTags } from "./pruneTags.js";
import { addRender } from "./render.js";
import { addRestore } from "./restore.js";
import { addRotatePassword } from "./rotatePassword.js";
import { addSchema } from "./schema.js";
import { addSecrets } from "./secrets.js";
import { addStatus } from "./status.js";
import { addUpgrade } from "./upgrade.js";
import { addUsage } from "./usage.js";
import { addUsers } from "./user.js";
import { addVersion } from "./version.js";

/** All commands, by what people want to do, in the order of the help. */
export const COMMAND_GROUPS: readonly { title: string; commands: readonly AddCommand[] }[] = [
  { title: "Begin", commands: [addInit, addAdopt, addRender, addDeploy] },
  { title: "Users and passwords", commands: [addRotatePassword, addUsers, addLogins, addAccess] },
  { title: "See what is", commands: [addStatus, addDoctor, addLogs, addUsage, addAudit, addHistory] },
  { title: "Change the stack", commands: [addDiff, addUpgrade, addRollback, addDestroy] },
  { title: "Look after the images", commands: [addMirror, addPruneTags, addGc, addMaintain] },
  { title: "Save and move", commands: [addBackup, addRestore, addBundle] },
  { title: "Look behind", commands: [addSecrets, addLock] },
  { title: "Editor, shell, help", commands: [addSchema, addCompletion, addVersion] },
];
