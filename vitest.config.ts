import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { RunReport } from "./test/support/runReport.js";

/** In CI the report is also written to a file, which ends up in the closing lines. */
const reports = process.env.HEPHAESTUS_REPORTS;
const project = process.argv[process.argv.indexOf("--project") + 1];
/** The e2e tests run in parts, several at once. */
const part = process.env.HEPHAESTUS_PART ?? "";

/** Nodes die in one suite. Docker gives no logs of the tasks of a node that came back, so those that share the nodes run before it. */
class DeathLast extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLast = ({ moduleId }: TestSpecification) => moduleId.endsWith("/death.test.ts");
    const sorted = await super.sort(files);
    return [...sorted.filter((file) => !isLast(file)), ...sorted.filter(isLast)];
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: DeathLast },
    reporters: ["default", new RunReport(reports && `${reports}/${project}${part}.json`)],
    projects: [
      // Properties try a thousand values; on a busy machine that takes longer than the usual 5 seconds.
      {
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts"],
          globalSetup: ["test/unit/globalSetup.ts"],
          testTimeout: 120_000,
          // The files of a worker share its modules: to load them for each file is a third of the work. What a test replaces is put
          // back after it.
          isolate: false,
          restoreMocks: true,
          unstubEnvs: true,
          unstubGlobals: true,
          // Some wait for a program meanwhile.
          maxWorkers: availableParallelism() + 1,
        },
      },
      // The rendered nginx before real registries, as plain processes: no root and no Docker.
      {
        test: {
          name: "gateway",
          include: ["test/gateway/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 120_000,
          isolate: false,
          maxWorkers: "100%",
          // Most of them wait: for turns, and until something is forgotten.
          maxConcurrency: 20,
        },
      },
      {
        test: {
          name: "e2e",
          include: process.env.HEPHAESTUS_BENCH ? ["bench/**/*.test.ts"] : ["test/e2e/**/*.test.ts"],
          globalSetup: ["test/e2e/globalSetup.ts"],
          // One Swarm, one set of host ports: files run one after the other.
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 300_000,
          // What is polled for comes when a rollout or a log has come so far. A whole machine may be busy meanwhile.
          // What is asked is mostly a command, so not as often as the 50 ms that Vitest has.
          expect: { poll: { timeout: 60_000, interval: 300 } },
        },
      },
    ],
  },
});
