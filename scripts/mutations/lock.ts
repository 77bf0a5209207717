import type { Subject } from "./mutation.js";

/** The lock of a stack. */
export const LOCK: readonly Subject[] = [
  {
    file: "src/operation/stackLock.ts",
    tests: ["lock.test.ts"],
    mutations: [
      { what: "attempts < 3;", by: "attempts < 1;", rule: "a stale lock is taken over at once" },
      {
        what: "await removeBeats(docker, stack);\n      return created",
        by: "return created",
        rule: "heartbeats of dead holders are removed",
      },
      {
        what: "if (!/already exists/i.test(created.stderr)) throw dockerFailed(create, created);",
        by: "",
        rule: "an engine that refuses is no held lock",
      },
      {
        what: "if (holder === undefined) continue;",
        by: "if (holder === undefined) throw locked(stack, holder, 0);",
        rule: "a lock that was freed meanwhile is taken",
      },
      {
        what: "    if (!holder.isOurs) throw foreign(stack);\n",
        by: "",
        rule: "a config of others is never removed",
      },
      {
        what: "if (!isStale(holder, silence)) throw",
        by: "if (isStale(holder, silence)) throw",
        rule: "a held lock is not taken",
      },
      {
        what: "holder.process !== undefined && hasEnded(holder.process)",
        by: "false",
        rule: "the lock of a process that has ended is free",
      },
      {
        what: "silence > LOCK_SECONDS :",
        by: "silence > LOCK_SECONDS / 2 :",
        rule: "a lock is held for so long after its last heartbeat",
      },
      {
        what: "(holder.renewed ? silence",
        by: "(!holder.renewed ? silence",
        rule: "a lock without heartbeats has a time of its own",
      },
      { what: "docker.guard = () => keeper.check();", by: "", rule: "who lost the lock runs nothing more" },
      { what: "  keeper.begin();\n", by: "", rule: "heartbeats keep the lock" },
      { what: "    await endLeftJobs(docker, stack);\n", by: "", rule: "jobs of a killed holder end first" },
      { what: "docker.guard = undefined;", by: "", rule: "after its end a lock guards nothing" },
      { what: "await keeper.end();", by: "", rule: "the lock is freed, whatever the work does" },
      {
        what: "if (holder && !holder.isOurs) throw foreign(stack);",
        by: "",
        rule: "lock release removes no config of others",
      },
      {
        what: "await removeBeats(docker, stack);\n  return holder;",
        by: "return holder;",
        rule: "lock release removes the heartbeats of all",
      },
      { what: "Math.max(0, (now", by: "Math.min(0, (now", rule: "silence is told in seconds" },
      { what: "Math.round(silence)", by: "Math.round(silence / 60)", rule: "silence is told in seconds" },
    ],
  },
  {
    file: "src/operation/lockObjects.ts",
    tests: ["lock.test.ts"],
    mutations: [
      {
        what: "lock.slice(0, 12)",
        by: "lock.slice(0, 2)",
        rule: "heartbeats of two locks have different names",
      },
      {
        what: "expires < Date.now() / 1000;",
        by: "expires > Date.now() / 1000;",
        rule: "a time that is over is over",
      },
      { what: "expires < Date.now() / 1000;", by: "expires < Date.now();", rule: "the time is in seconds" },
      {
        what: "if (own.length === 0) return since.getTime();",
        by: "if (own.length === 0) return 0;",
        rule: "a lock that was just taken is held",
      },
      {
        what: "Math.max(since.getTime(), ...beats",
        by: "Math.min(since.getTime(), ...beats",
        rule: "the last heartbeat counts",
      },
      {
        what: "if (number > 1) await",
        by: "if (number > 2) await",
        rule: "one heartbeat is there at a time",
      },
      {
        what: "if (found.exitCode === 0) return true;\n  if",
        by: "if",
        rule: "a lock that is there is held",
      },
      {
        what: "if (/no such|not found/i.test(found.stderr)) return false;\n  throw",
        by: "return false;\n  throw",
        rule: "an engine that does not answer takes no lock away",
      },
      {
        what: "if (created.exitCode !== 0) throw dockerFailed(create, created);\n  if (number",
        by: "if (created.exitCode !== 0) return false;\n  if (number",
        rule: "a heartbeat that failed takes no lock away",
      },
      {
        what: "words(stdout).filter((name) => name.startsWith(prefix));",
        by: "words(stdout);",
        rule: "heartbeats of other stacks stay",
      },
      {
        what: "/no such|not found/i.test(result.stderr)) return undefined;",
        by: "true) return undefined;",
        rule: "an engine that does not answer is no free lock",
      },
      {
        what: "isOurs: labels[LOCK_LABELS.holder] !== undefined,",
        by: "isOurs: true,",
        rule: "a config of others is no lock",
      },
      { what: "await removeBeats(docker, stack, id);", by: "", rule: "a freed lock leaves no heartbeat" },
      { what: '    await docker.attempt(["config", "rm", probe]);', by: "", rule: "no probe is left" },
    ],
  },
  {
    file: "src/operation/lockKeeper.ts",
    tests: ["lock.test.ts"],
    mutations: [
      {
        what: "!this.lost && Date.now() - this.last",
        by: "!this.lost && this.last - Date.now()",
        rule: "who stood still asks first",
      },
      { what: "if (!this.lost) return;", by: "return;", rule: "who lost the lock stops" },
      { what: "else this.lost = true;", by: "", rule: "a lock that is gone is lost" },
      {
        what: "if (held) this.last = Date.now();",
        by: "if (held) this.last = 0;",
        rule: "a heartbeat is noted",
      },
      { what: "clearInterval(this.timer);", by: "", rule: "heartbeats end with the work" },
      { what: "BEAT_SECONDS * 1000);", by: "BEAT_SECONDS * 100_000);", rule: "heartbeats come in time" },
    ],
  },
  {
    file: "src/operation/processIdentity.ts",
    tests: ["lock.test.ts"],
    mutations: [
      {
        what: "!identity.startsWith(`${here}/`)) return false;",
        by: "false) return false;",
        rule: "a process of another machine has not ended",
      },
      {
        what: "startTime(Number(pid)) !== start;",
        by: "startTime(Number(pid)) === undefined;",
        rule: "another process with the same id is another",
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
