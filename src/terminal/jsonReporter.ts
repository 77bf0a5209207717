import { delivered, printJson } from "./output.js";
import type { Reporter } from "./reporter.js";

/** One JSON object a line on standard output (NDJSON), for machines; each has an `event`. */
export function jsonReporter(): Reporter {
  let step = "";
  const write = (event: string, data: Readonly<Record<string, unknown>>) => printJson({ event, ...data });
  return {
    begin(id, title) {
      step = id;
      write("begin", { step, title });
    },
    progress: (message) => write("progress", { step, message }),
    end: (outcome, message) => write("end", { step, outcome, message }),
    note: (level, message) => write("note", { level, message }),
    result: (data) => write("result", data),
    async password(user, password) {
      write("password", { user, password });
      await delivered();
    },
  };
}
