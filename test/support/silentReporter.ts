import type { Reporter } from "../../src/terminal/reporter.js";

/** A reporter that says nothing. */
export const silentReporter: Reporter = {
  begin() {},
  progress() {},
  end() {},
  note() {},
  result() {},
  async password() {},
};
