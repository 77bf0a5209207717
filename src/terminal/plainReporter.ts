import { colours, delivered, print, say } from "./output.js";
import type { Outcome, Reporter } from "./reporter.js";

/** One line an event, for CI logs and pipes. Progress goes to standard error, results to standard output. */
export function plainReporter(): Reporter {
  const marks: Record<Outcome, string> = {
    done: colours.green("ok"),
    skipped: colours.yellow("skipped"),
    failed: colours.red("failed"),
  };
  let title = "";
  let lastProgress = "";
  return {
    begin(_id, newTitle) {
      title = newTitle;
      lastProgress = "";
      say(`${title} ...`);
    },
    progress(message) {
      if (message !== lastProgress) say(`${title}: ${message}`);
      lastProgress = message;
    },
    // Why a step failed is told once, when the command ends.
    end: (outcome, message) =>
      say(`${title}: ${marks[outcome]}${message && outcome !== "failed" ? `: ${message}` : ""}`),
    note: (level, message) =>
      say(
        level === "info"
          ? message
          : `${colours[level === "error" ? "red" : "yellow"](`${level}:`)} ${message}`,
      ),
    result: (_data, lines) => print(lines.join("\n")),
    async password(user, password) {
      print(`password of ${user}: ${password}\nIt is shown this once; nobody can read it back.`);
      await delivered();
    },
  };
}
