import { Option } from "@commander-js/extra-typings";
import { ExitCode, OperatorError } from "../errors.js";
import { serviceNames } from "../stack.js";
import { followServiceLog, type LogLine, missingText, readServiceLog } from "../swarm/serviceLogs.js";
import { colours, print } from "../terminal/output.js";
import { type AddCommand, configOption, contextOption, wholeNumber } from "./options.js";
import { openSession } from "./session.js";

export const addLogs: AddCommand = (program, finish) => {
  program
    .command("logs [service]")
    .description("print the logs of the stack, or of one of its services")
    .addOption(configOption())
    .addOption(contextOption())
    .option("-f, --follow", "follow the log output")
    .addOption(
      new Option("-n, --tail <lines>", "number of lines to show from the end of each task's log")
        .default(50)
        .argParser(wholeNumber(0, 100_000)),
    )
    .addHelpText("after", "\nExample:\n  hephaestus logs gateway --tail 20")
    .action(async (service, flags) => {
      const { config, docker, reporter, signal } = await openSession(flags);
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
      const { tail } = flags;
      const show = (name: string, { time, text }: LogLine) =>
        print(`${colours.cyan(name.padEnd(width))} ${time} ${text}`);
      if (flags.follow) {
        const follow = (name: string) =>
          followServiceLog(docker, `${config.stack}_${name}`, { tail }, (line) => show(name, line));
        // It ends with Ctrl-C, as it should.
        await Promise.all(chosen.map(follow)).catch((error: unknown) => {
          if (!signal.aborted) throw error;
        });
        return finish(ExitCode.ok);
      }
      const missing: string[] = [];
      for (const name of chosen) {
        const log = await readServiceLog(docker, `${config.stack}_${name}`, { tail });
        for (const line of log.lines) show(name, line);
        missing.push(...log.missing);
      }
      if (missing.length > 0) reporter.note("warning", missingText(missing));
      finish(missing.length > 0 ? ExitCode.docker : ExitCode.ok);
    });
};
