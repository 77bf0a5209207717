export const DAY_MILLISECONDS = 86_400_000;

/** Whole days from one time to another. */
export const daysBetween = (from: Date, to: Date): number =>
  Math.floor((to.getTime() - from.getTime()) / DAY_MILLISECONDS);

/** Whether a text is a day of the calendar: YYYY-MM-DD. */
export function isDay(text: string): boolean {
  const date = new Date(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : Number.NaN);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
}

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: DAY_MILLISECONDS };

/**
 * A time in the past: a span back from now, such as 30m, 12h or 7d, or a date in ISO 8601.
 *
 * @returns undefined where it is neither
 */
export function timeFrom(text: string, now: Date): Date | undefined {
  const [, amount = "", unit = ""] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  if (amount !== "") return new Date(now.getTime() - Number(amount) * (UNITS[unit] ?? 0));
  const date = new Date(/^\d{4}-\d\d-\d\d/.test(text) ? text : Number.NaN);
  return Number.isNaN(date.getTime()) ? undefined : date;
}
