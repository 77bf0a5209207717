/**
 * The pauses of the product, a hundred times shorter:
 * `vi.mock("node:timers/promises", async (original) => (await import("…/shortPauses.js")).shortPauses(original));`
 */
export async function shortPauses(original: () => Promise<unknown>) {
  const timers = (await original()) as typeof import("node:timers/promises");
  const setTimeout: typeof timers.setTimeout = (milliseconds = 0, value, options) =>
    timers.setTimeout(milliseconds / 100, value, options);
  return { ...timers, setTimeout };
}
