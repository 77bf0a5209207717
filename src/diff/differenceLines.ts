import { colours } from "../terminal/output.js";
import type { FactChange, ServiceDifference } from "./serviceDifferences.js";
import type { Reach } from "./serviceFacts.js";

const REACHES: Record<Reach, string> = {
  tasks: "rolls",
  placement: "moves tasks that no longer fit on their node",
  labels: "labels only, no task restarts",
  settings: "no task restarts",
};

/** What a deploy would change, for people. */
export function differenceLines(differences: readonly ServiceDifference[]): string[] {
  return differences.flatMap(({ service, action, image, reach, changes }) => {
    if (action === "create") return [colours.green(`create ${service} (${image})`)];
    if (action === "remove") return [colours.red(`remove ${service} (${image})`)];
    const head = colours.bold(`update ${service} (${REACHES[reach]})`);
    return [head, ...changes.flatMap((change) => changeLines(change))];
  });
}

/** Facts that are only a number of something. */
const GENERATION = /^generation \d+$/;

function changeLines({ fact, from, to, diff }: FactChange): string[] {
  if (from !== undefined && to !== undefined && GENERATION.test(from) && GENERATION.test(to))
    return [`  ${fact}: ${from} -> ${to.replace("generation ", "")}`];
  return [
    ...(from === undefined ? [] : [colours.red(`  - ${fact}: ${from}`)]),
    ...(to === undefined ? [] : [colours.green(`  + ${fact}: ${to}`)]),
    ...(diff === undefined ? [] : diffLines(diff).map((line) => `      ${line}`)),
  ];
}

/** A unified diff without its head, with its changes in colour. */
export function diffLines(diff: string): string[] {
  const lines = diff.trimEnd().split("\n");
  const first = lines.findIndex((line) => line.startsWith("@@"));
  return lines.slice(Math.max(first, 0)).map((line) => {
    if (line.startsWith("+")) return colours.green(line);
    if (line.startsWith("-")) return colours.red(line);
    return line.startsWith("@@") ? colours.cyan(line) : line;
  });
}
