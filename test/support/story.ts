import { beforeEach } from "vitest";

declare module "vitest" {
  interface TaskMeta {
    story?: boolean;
  }
}

/**
 * Says that the tests of this file, in their order, tell one story: each begins where the one before ended. After one that fails
 * the others are not run, and say why.
 */
export function story(): void {
  let failed: string | undefined;
  beforeEach(({ task, skip, onTestFailed }) => {
    task.meta.story = true;
    if (failed !== undefined) skip(`not run: "${failed}" failed`);
    onTestFailed(() => {
      failed = task.name;
    });
  });
}
