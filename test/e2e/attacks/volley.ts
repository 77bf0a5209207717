import { type Door, talk } from "./raw.js";

export interface Shot {
  text: string;
  /** The statuses that were answered, or "closed" or "silent". */
  outcome: string;
}

/** Fires raw requests at a door, each on a connection of its own. */
export async function volley(door: Door, texts: readonly string[]): Promise<Shot[]> {
  const waiting = [...texts];
  const shots: Shot[] = [];
  const gun = async (): Promise<void> => {
    for (let text = waiting.shift(); text !== undefined; text = waiting.shift()) {
      const { statuses, ended } = await talk(door, text, { silenceMs: 600 });
      shots.push({ text, outcome: statuses.join(" ") || (ended ? "closed" : "silent") });
    }
  };
  await Promise.all(Array.from({ length: 32 }, gun));
  return shots;
}

/** How often each outcome came, the most frequent first. */
export function summary(shots: readonly Shot[]): string {
  const counts = new Map<string, number>();
  for (const { outcome } of shots) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([outcome, count]) => `${outcome}: ${count}`)
    .join(", ");
}
