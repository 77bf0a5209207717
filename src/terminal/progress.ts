import type { Reporter } from "./reporter.js";

/** How far something is that is counted in bytes. */
export interface Progress {
  done: number;
  /** 0 where nobody knows. */
  total: number;
  seconds: number;
}

const BAR = 24;
const UNITS = ["B", "kB", "MB", "GB", "TB"] as const;

/** "12.3 MB" */
export function bytesText(bytes: number): string {
  const step = bytes < 1 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), UNITS.length - 1);
  const value = bytes / 1000 ** step;
  return `${step === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[step]}`;
}

/** "1 h 05 min", "2 min 03 s" or "4 s" */
export function durationText(seconds: number): string {
  const whole = Math.ceil(seconds);
  const two = (value: number) => String(value).padStart(2, "0");
  if (whole >= 3600) return `${Math.floor(whole / 3600)} h ${two(Math.floor(whole / 60) % 60)} min`;
  return whole >= 60 ? `${Math.floor(whole / 60)} min ${two(whole % 60)} s` : `${whole} s`;
}

/**
 * "[=====     ] 42%  12.3 MB of 29 MB, 98 MB/s, 2 s left"; the rate and what is left only when they mean
 * something.
 *
 * @param withBar whether a bar stands in front
 */
export function progressText({ done, total, seconds }: Progress, withBar: boolean): string {
  const part = total > 0 ? Math.min(1, done / total) : 0;
  const bar = `[${"=".repeat(Math.round(part * BAR)).padEnd(BAR)}] `;
  const rate = seconds > 0.5 ? done / seconds : 0;
  return [
    `${withBar && total > 0 ? bar : ""}${total > 0 ? `${Math.floor(part * 100)}%  ` : ""}${bytesText(done)}${total > 0 ? ` of ${bytesText(total)}` : ""}`,
    ...(rate > 0 ? [`${bytesText(rate)}/s`] : []),
    ...(rate > 0 && total > 0 ? [`${durationText(Math.max(0, total - done) / rate)} left`] : []),
  ].join(", ");
}

/** "12.3 MB in 4 s, 3.1 MB/s" */
export const speedText = (bytes: number, seconds: number): string =>
  `${bytesText(bytes)} in ${durationText(seconds)}, ${bytesText(bytes / Math.max(seconds, 0.001))}/s`;

/** Counts bytes, and reports now and then: ten times a second on a terminal, every 3 seconds elsewhere. */
export class ProgressMeter {
  private done = 0;
  private total = 0;
  private began = Date.now();
  private told = Date.now();
  private readonly isWatched = process.stderr.isTTY === true && !process.env.CI;

  constructor(private readonly reporter: Pick<Reporter, "progress">) {}

  /** Starts counting again. */
  begin(total: number): void {
    this.done = 0;
    this.total = total;
    this.began = Date.now();
    this.told = this.began;
  }

  add(bytes: number): void {
    this.done += bytes;
    const now = Date.now();
    if (now - this.told < (this.isWatched ? 100 : 3000)) return;
    this.told = now;
    this.reporter.progress(progressText(this.state(), this.isWatched));
  }

  state(): Progress {
    return { done: this.done, total: this.total, seconds: (Date.now() - this.began) / 1000 };
  }
}
