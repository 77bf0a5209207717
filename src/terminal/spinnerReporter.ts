import { colours, say, showBelow } from "./output.js";
import { plainReporter } from "./plainReporter.js";
import type { Outcome, Reporter } from "./reporter.js";

const FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";
const FRAME_MILLISECONDS = 80;

/**
 * For a terminal: the running step turns, what is done stays as a line. Standard input is left alone, so that
 * Ctrl-C reaches the command as a signal and it can clean up; the spinner of @clack/prompts takes it.
 */
export function spinnerReporter(): Reporter {
  const plain = plainReporter();
  const marks: Record<Outcome, string> = {
    done: colours.green("✔"),
    skipped: colours.cyan("ℹ"),
    failed: colours.red("✖"),
  };
  let title = "";
  let text = "";
  let frame = 0;
  let timer: NodeJS.Timeout | undefined;
  const draw = () => {
    frame = (frame + 1) % FRAMES.length;
    showBelow(`${FRAMES[frame]} ${text}`);
  };
  return {
    ...plain,
    begin(_id, newTitle) {
      [title, text] = [newTitle, newTitle];
      clearInterval(timer);
      timer = setInterval(draw, FRAME_MILLISECONDS).unref();
      draw();
    },
    progress(message) {
      text = `${title}: ${message}`;
    },
    end(outcome, message) {
      clearInterval(timer);
      timer = undefined;
      showBelow("");
      const told = message && outcome !== "failed" ? `: ${message}` : "";
      say(`${marks[outcome]} ${title}${told}${outcome === "skipped" ? " (skipped)" : ""}`);
    },
    // Lines between steps go above the one that turns.
    note(level, message) {
      if (timer === undefined) return plain.note(level, message);
      showBelow("");
      plain.note(level, message);
      draw();
    },
  };
}
