export const DAY_MILLISECONDS = 86_400_000;

/** Whole days from one time to another. */
export const daysBetween = (from: Date, to: Date): number =>
  Math.floor((to.getTime() - from.getTime()) / DAY_MILLISECONDS);
