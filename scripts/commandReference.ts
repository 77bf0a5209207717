import type { CommandUnknownOpts as Command, Option } from "@commander-js/extra-typings";
import { buildProgram } from "../src/cli.js";
import { EXIT_CODES } from "../src/errors.js";
import { markdownTable } from "./markdownTable.js";

/** Every command with its options, from the program itself. */
export function commandReference(): string {
  const program = buildProgram(() => undefined);
  const global = `These options go with every command:\n\n${optionTable(program.options)}`;
  return [global, ...program.commands.flatMap((command) => sections(command, "##"))].join("\n\n");
}

/** A command, then its own commands. */
function sections(command: Command, level: string): string[] {
  const path = pathOf(command);
  const usage = `${path} ${command.usage()}`.replace(
    " [options]",
    command.options.length > 0 ? " [options]" : "",
  );
  return [
    `${level} ${path}`,
    `${sentence(command.description())}`,
    `\`\`\`console\n$ ${usage.trim()}\n\`\`\``,
    ...(command.options.length > 0 ? [optionTable(command.options)] : []),
    ...helpAfter(command),
    ...command.commands.flatMap((inner) => sections(inner, `${level}#`)),
  ];
}

const pathOf = (command: Command): string =>
  command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name();

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

const optionTable = (options: readonly Option[]): string =>
  markdownTable(
    ["option", "meaning"],
    options.map((option) => [`\`${option.flags}\``, meaningOf(option)]),
  );

function meaningOf({ description, argChoices, defaultValue }: Option): string {
  const choices = argChoices ? ` (${argChoices.join(", ")})` : "";
  const shown =
    typeof defaultValue === "boolean" || defaultValue === undefined ? "" : `; default \`${defaultValue}\``;
  return `${description}${choices}${shown}`;
}

/** What the help says behind the options: text, and the example as code. */
function helpAfter(command: Command): string[] {
  let text = "";
  command.configureOutput({ writeOut: (part) => (text += part) });
  command.outputHelp();
  const after = text.slice(text.lastIndexOf("display help for command") + "display help for command".length);
  const [words = "", example = ""] = after.trim().split(/\n*Example:\n/);
  const prose = words.replace(/^Commands:[\s\S]*?(?=\n\n|$)/, "").trim();
  return [
    ...(prose === "" ? [] : [prose.replace(/\n(?!\n)/g, " ")]),
    ...(example === "" ? [] : [`Example:\n\n\`\`\`console\n$ ${example.trim()}\n\`\`\``]),
  ];
}

/** All exit codes. */
export const exitCodeTable = (): string =>
  markdownTable(
    ["code", "meaning"],
    EXIT_CODES.map(({ code, meaning }) => [String(code), meaning]),
  );
