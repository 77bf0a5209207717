import { createRequire, syncBuiltinESMExports } from "node:module";
import { afterAll, beforeAll } from "vitest";

const timers = createRequire(import.meta.url)(
  "node:timers/promises",
) as typeof import("node:timers/promises");
const { setTimeout } = timers;

/**
 * The pauses of the product for the tests of this file: a hundred times shorter, or what `pause` does instead. The files of a
 * worker share its modules, so none is mocked for one of them.
 */
export function shortPauses(
  // A minute and more is a time limit of a program.
  pause: typeof setTimeout = (milliseconds = 0, value, options) =>
    setTimeout(milliseconds < 60_000 ? milliseconds / 100 : milliseconds, value, options),
): void {
  const become = (now: typeof setTimeout) => {
    timers.setTimeout = now;
    syncBuiltinESMExports();
  };
  beforeAll(() => become(pause));
  afterAll(() => become(setTimeout));
}
