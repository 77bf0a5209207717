import type { Subject } from "./mutation.js";

/** The lock of a stack. */
export const LOCK: readonly Subject[] = [
  {
    file: "src/swarm/lock/stackLock.ts",
    tests: ["lock.test.ts"],
    mutations: [
      { what: "attempts < 3;", by: "attempts < 1;", rule: "a stale lock is taken over at once" },
      {
        what: "if (lock === undefined) continue;",
        by: "if (lock === undefined) throw locked(stack, lock);",
        rule: "a lock that was freed meanwhile is taken",
      },
      {
        what: "    if (!lock.isOurs) throw foreign(stack);\n",
        by: "",
        rule: "a config of others is never removed",
      },
      {
        what: "if (!lock.stale || hasHolderEnded(lock)) return lock.stale;",
        by: "if (hasHolderEnded(lock)) return true;",
        rule: "a held lock is not taken",
      },
      {
        what: "process !== undefined && hasEnded(process)",
        by: "false",
        rule: "the lock of a process that has ended is free",
      },
      {
        what: "silence > lock.seconds ||",
        by: "silence > lock.seconds / 2 ||",
        rule: "a lock is held for so long after its last heartbeat",
      },
      {
        what: "lock.renewed.getTime()",
        by: "lock.since.getTime()",
        rule: "the last heartbeat counts",
      },
      {
        what: "Date.parse(await engineTime(docker))",
        by: "Date.now()",
        rule: "the time is that of the Swarm",
      },
      {
        what: "of [docker, cleanupDocker]) guarded.guard = kept",
        by: "of [docker]) guarded.guard = kept",
        rule: "who lost the lock cleans nothing up",
      },
      {
        what: "of [docker, cleanupDocker]) guarded.guard = kept",
        by: "of [cleanupDocker]) guarded.guard = kept",
        rule: "who lost the lock runs nothing more",
      },
      {
        what: "keepLock(lockDocker, stack",
        by: "keepLock(cleanupDocker, stack",
        rule: "a heartbeat never waits for itself",
      },
      { what: "    await endLeftJobs(docker, stack);\n", by: "", rule: "jobs of a killed holder end first" },
      {
        what: "of [docker, cleanupDocker]) guarded.guard = undefined;",
        by: "of []) docker.guard = undefined;",
        rule: "after its end a lock guards nothing",
      },
      { what: "await kept.end();", by: "", rule: "the lock is freed, whatever the work does" },
      {
        what: "if (lock && !lock.isOurs) throw foreign(stack);",
        by: "",
        rule: "lock release removes no config of others",
      },
      {
        what: " || isAhead;",
        by: ";",
        rule: "a lock from the future is no lock for hours",
      },
      {
        what: "lock.seconds <= LOCK_SECONDS && silence <",
        by: "silence <",
        rule: "a lock without heartbeats is not watched for one",
      },
      {
        what: "if (!(await isDead(docker, stack, state)))",
        by: "if (!state.stale)",
        rule: "the clocks alone free no lock",
      },
      {
        what: "2.5 * BEAT_SECONDS",
        by: "1.5 * BEAT_SECONDS",
        rule: "a lock is watched for longer than two heartbeats",
      },
      {
        what: "    if ((await readLock(docker, stack))?.version !== lock.version) return false;\n",
        by: "",
        rule: "a heartbeat while it is watched keeps the lock",
      },
      { what: "Math.max(0, silence", by: "Math.min(0, silence", rule: "silence is told in seconds" },
      { what: "Math.round(silence)", by: "Math.round(silence / 60)", rule: "silence is told in seconds" },
    ],
  },
  {
    file: "src/swarm/lock/lockObjects.ts",
    tests: ["lock.test.ts"],
    mutations: [
      {
        what: "if (config === undefined) return false;",
        by: "if (config === undefined) return true;",
        rule: "a lock that is gone is not held",
      },
      { what: "  return true;", by: "  return false;", rule: "a lock that is there is held" },
      {
        what: "await enginePost(docker, `/configs/${id}/update?version=${config.Version.Index}`, config.Spec);",
        by: "",
        rule: "a heartbeat renews the lock",
      },
      {
        what: "isOurs: labels[LOCK_LABELS.seconds] !== undefined,",
        by: "isOurs: true,",
        rule: "a config of others is no lock",
      },
    ],
  },
  {
    file: "src/swarm/lock/lockKeeper.ts",
    tests: ["lock.test.ts"],
    mutations: [
      {
        what: "silence() > 2 * BEAT_SECONDS) await beat();",
        by: "silence() > 3 * BEAT_SECONDS) await beat();",
        rule: "who missed two heartbeats asks first",
      },
      {
        what: "if (!isLost && silence() <= LOCK_SECONDS) return;",
        by: "if (silence() <= LOCK_SECONDS) return;",
        rule: "who lost the lock stops",
      },
      {
        what: "if (!isLost && silence() <= LOCK_SECONDS) return;",
        by: "if (!isLost) return;",
        rule: "who cannot renew the lock stops when it expires",
      },
      { what: "else isLost = true;", by: "", rule: "a lock that is gone is lost" },
      {
        what: "(await renewLock(docker, id)) last = asked;",
        by: "(await renewLock(docker, id)) last = 0;",
        rule: "a heartbeat is noted",
      },
      {
        what: "(await renewLock(docker, id)) last = asked;",
        by: "(await renewLock(docker, id)) last = Date.now();",
        rule: "a heartbeat counts from when it was sent",
      },
      { what: "    beating = undefined;", by: "", rule: "there is more than one heartbeat" },
      { what: "clearInterval(timer);", by: "", rule: "heartbeats end with the work" },
      { what: "BEAT_SECONDS * 1000);", by: "BEAT_SECONDS * 100_000);", rule: "heartbeats come in time" },
    ],
  },
  {
    file: "src/swarm/stackUpdate.ts",
    tests: ["lock.test.ts"],
    mutations: [
      {
        what: "isFinal(error) || Date.now()",
        by: "Date.now()",
        rule: "who lost the lock does not wait for services",
      },
    ],
  },
  {
    file: "src/maintenance/lease.ts",
    tests: ["lock.test.ts"],
    mutations: [
      {
        what: "if ((cause as OperatorError).exitCode === ExitCode.locked) throw cause;",
        by: "",
        rule: "who lost the lock is told that, not that the registry stays read-only",
      },
    ],
  },
  {
    file: "src/secrets/handover.ts",
    tests: ["lock.test.ts"],
    mutations: [
      {
        what: "  await cleanupDocker.guard?.();\n",
        by: "",
        rule: "who lost the lock shows no password",
      },
    ],
  },
  {
    file: "src/swarm/lock/processIdentity.ts",
    tests: ["lock.test.ts"],
    mutations: [
      {
        what: "startsWith(`${boot}/${namespace}/`) !== true",
        by: "startsWith(``) !== true",
        rule: "a process of another machine has not ended",
      },
      {
        what: ": found !== identity",
        by: ": false",
        rule: "another process with the same id is another",
      },
      {
        what: "isAbsent(Number(pid)) :",
        by: "true :",
        rule: "a process that /proc hides lives",
      },
      {
        what: 'code === "ESRCH"',
        by: 'code !== "ESRCH"',
        rule: "a process that no signal finds has ended, and one that takes none from here lives",
      },
      {
        what: '.split(" ")[19];',
        by: '.split(" ")[18];',
        rule: "the start time is field 22",
        survives: "any field that tells two processes apart would do until the priority is the same",
      },
    ],
  },
];
