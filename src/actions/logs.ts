import { streamLogs, withoutTask } from "../docker/serviceLogs.js";
import { ExitCode, OperatorError } from "../errors.js";
import { serviceNames } from "../stack/model.js";
import { coloursFor } from "../terminal/colours.js";
import { interruptionSignal } from "../terminal/interruption.js";
import { readAndRender } from "./render.js";

export interface LogsFlags {
  config: string;
  context?: string;
  follow?: boolean;
  tail: number;
}

/** Prints the logs of one service of the stack, or of all. */
export async function logs(service: string | undefined, flags: LogsFlags): Promise<ExitCode> {
  const { config } = await readAndRender(flags.config, undefined);
  const names = serviceNames(config);
  if (service !== undefined && !names.includes(service)) {
    throw new OperatorError(`there is no service ${service}`, {
      where: config.stack,
      remedy: `Services are: ${names.join(", ")}.`,
      exitCode: ExitCode.usage,
    });
  }
  const chosen = service === undefined ? names : [service];
  const width = Math.max(...chosen.map((name) => name.length));
  const colours = coloursFor(process.stdout);
  await streamLogs(
    chosen.map((name) => `${config.stack}_${name}`),
    {
      context: flags.context,
      follow: flags.follow ?? false,
      tail: flags.tail,
      signal: interruptionSignal(),
    },
    (name, line) => {
      const short = name.slice(config.stack.length + 1).padEnd(width);
      process.stdout.write(`${colours.cyan(short)} ${withoutTask(line)}\n`);
    },
  );
  return ExitCode.ok;
}
