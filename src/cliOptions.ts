import { type Command, InvalidArgumentError, Option } from "commander";

/** Options that several commands have. */

export const configOption = () => new Option("-f, --config <file>", "config file").default("hephaestus.yaml");

export const contextOption = () =>
  new Option("--context <name>", "docker context of a manager (default: docker's own)");

export const timeoutOption = () =>
  new Option("--timeout <seconds>", "time for the rollout").default(300).argParser(wholeNumber(1, 86_400));

export const quietOption = () => new Option("-q, --quiet", "report only errors, warnings and results");

export const resolveImageOption = () =>
  new Option("--resolve-image <when>", "when docker looks up image digests")
    .choices(["always", "changed", "never"])
    .default("always");

/** How a command reports. */
export const reportOptions = (command: Command): Command =>
  command
    .option("--json", "report as one JSON object a line")
    .addOption(quietOption())
    .addOption(new Option("--verbose", "show each docker command").conflicts("quiet"));

export const port = (flags: string, description: string, value: number) =>
  new Option(flags, description).default(value).argParser(wholeNumber(1, 65_535));

export const traefikLine = (value: string): 2 | 3 => {
  if (value === "2") return 2;
  if (value === "3") return 3;
  throw new InvalidArgumentError("Write 2 or 3.");
};

export function wholeNumber(least: number, most: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (/^\d+$/.test(value) && number >= least && number <= most) return number;
    throw new InvalidArgumentError(`Write a whole number from ${least} to ${most}.`);
  };
}
