/**
 * Breaks the product in one place at a time, in a copy, and runs the unit tests that should notice: `npm run mutations`, with
 * words of paths to run a part. It fails where a mutation survives without a reason, has one and is killed, or fits no longer.
 */
import { type ChildProcess, fork } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { SUBJECTS } from "./mutations/index.js";
import { type Mutation, occurrences, type Subject } from "./mutations/mutation.js";
import type { Order, Verdict } from "./mutationWorker.js";

const ROOT = join(import.meta.dirname, "..");

/** What the unit tests read. */
const COPIED = [
  "bin",
  "docs",
  "ops-scripts",
  "schema",
  "scripts",
  "src",
  "templates",
  "test",
  "package.json",
];

/** Milliseconds after which a run hangs: the slowest takes some seconds. */
const LIMIT = 60_000;

type Outcome = Verdict | { state: "hung" | "stale"; by: string; reason: string };

interface Task extends Pick<Subject, "file" | "tests"> {
  /** Undefined where the tests have to pass. */
  mutation: Mutation | undefined;
}

/** A copy of the tree with a process that runs tests in it. */
class Bench {
  private readonly tree = mkdtempSync(join(tmpdir(), "hephaestus-mutations-"));
  private worker: ChildProcess | undefined;

  constructor() {
    for (const name of COPIED) cpSync(join(ROOT, name), join(this.tree, name), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(this.tree, "node_modules"));
  }

  async judge({ file, tests, mutation }: Task): Promise<Outcome> {
    const original = readFileSync(join(ROOT, file), "utf8");
    const path = join(this.tree, file);
    const times = mutation === undefined ? 1 : occurrences(original, mutation);
    if (times !== 1) return { state: "stale", by: "", reason: `its text occurs ${times} times` };
    const text = mutation === undefined ? original : original.replace(mutation.what, () => mutation.by);
    const outcome = await this.run({ path, text, original, tests });
    if (outcome.state === "hung") writeFileSync(path, original);
    return outcome;
  }

  private async run(order: Order): Promise<Outcome> {
    const worker = this.worker ?? (await this.start());
    let clock: NodeJS.Timeout | undefined;
    try {
      return await new Promise<Outcome>((resolve, reject) => {
        clock = setTimeout(() => {
          this.stop();
          resolve({ state: "hung", by: "", reason: `no end after ${LIMIT / 1000} s` });
        }, LIMIT);
        worker.once("message", resolve);
        worker.once("exit", (code) => reject(new Error(`the worker ended with ${code}`)));
        worker.send(order);
      });
    } finally {
      clearTimeout(clock);
      worker.removeAllListeners();
    }
  }

  /** In a group of its own, with the processes that Vitest starts. */
  private async start(): Promise<ChildProcess> {
    const worker = fork(join(ROOT, "scripts/mutationWorker.ts"), {
      cwd: this.tree,
      detached: true,
      env: { ...process.env, HEPHAESTUS_SMALLEST: "no" },
      execArgv: ["--import", import.meta.resolve("tsx")],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    this.worker = worker;
    await new Promise((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("exit", (code) => reject(new Error(`the worker ended with ${code}`)));
    });
    worker.removeAllListeners();
    return worker;
  }

  private stop(): void {
    if (this.worker?.pid !== undefined) process.kill(-this.worker.pid, "SIGKILL");
    this.worker = undefined;
  }

  remove(): void {
    this.stop();
    rmSync(this.tree, { recursive: true, force: true });
  }
}

/** What is wrong with an outcome; undefined where it is as it should be. */
function faultOf({ mutation }: Task, { state }: Outcome): string | undefined {
  if (mutation === undefined) return state === "survived" ? undefined : "FAILS WITHOUT A MUTATION";
  if (state === "killed")
    return mutation.survives === undefined ? undefined : "KILLED IN SPITE OF ITS REASON";
  if (state === "survived" && mutation.survives !== undefined) return undefined;
  return state.toUpperCase();
}

const oneLine = (text: string): string => text.replace(/\s+/g, " ").trim();

function row(task: Task, outcome: Outcome, fault: string | undefined): string {
  const { mutation } = task;
  if (mutation === undefined)
    return `${fault}  ${task.tests.join(" ")}\n    ${outcome.by}: ${outcome.reason}`;
  const head = `${(fault ?? outcome.state).padEnd(9)} ${task.file}: ${mutation.rule}`;
  const change = `    ${oneLine(mutation.what)}  ->  ${oneLine(mutation.by)}`;
  const why = outcome.state === "survived" ? (mutation.survives ?? "no test notices") : outcome.by;
  return [
    head,
    change,
    `    ${why}`,
    ...(outcome.reason ? [`    ${outcome.reason.slice(0, 150)}`] : []),
  ].join("\n");
}

const words = process.argv.slice(2);
const subjects = SUBJECTS.filter(
  ({ file }) => words.length === 0 || words.some((word) => file.toLowerCase().includes(word.toLowerCase())),
);
const tasks = subjects.flatMap(({ file, tests, mutations }): Task[] =>
  [undefined, ...mutations].map((mutation) => ({ file, tests, mutation })),
);
const started = Date.now();
const counts = new Map<string, number>();
let faults = 0;
const open = tasks.values();
const benches = Array.from({ length: Math.min(availableParallelism(), tasks.length) }, () => new Bench());
const removeAll = () => benches.forEach((bench) => void bench.remove());
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => {
    removeAll();
    process.exit(1);
  });
try {
  await Promise.all(
    benches.map(async (bench) => {
      for (const task of open) {
        const outcome = await bench.judge(task);
        const fault = faultOf(task, outcome);
        if (fault !== undefined) faults++;
        if (task.mutation !== undefined) counts.set(outcome.state, (counts.get(outcome.state) ?? 0) + 1);
        if (task.mutation !== undefined || fault !== undefined) console.log(row(task, outcome, fault));
      }
    }),
  );
} finally {
  removeAll();
}
const seconds = Math.round((Date.now() - started) / 1000);
const summary = [...counts].map(([state, count]) => `${count} ${state}`).join(", ");
console.log(`\n${summary || "no mutation has such a path"}; ${faults} to look at; ${seconds} s`);
if (faults > 0 || counts.size === 0) process.exitCode = 1;
