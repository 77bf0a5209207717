import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { differenceLines } from "../../src/diff/differenceLines.js";
import { ExitCode, OperatorError } from "../../src/errors.js";
import { chooseReporter } from "../../src/terminal/chooseReporter.js";
import { colours, print, say } from "../../src/terminal/output.js";
import { showError } from "../../src/terminal/showError.js";
import { table } from "../../src/terminal/table.js";

let out: string;
let err: string;

beforeEach(() => {
  [out, err] = ["", ""];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    out += String(text);
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    err += String(text);
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  terminal(false);
});

/** Makes both outputs a terminal with colours, or pipes. */
function terminal(isTTY: boolean): void {
  for (const stream of [process.stdout, process.stderr])
    Object.assign(stream, { isTTY, hasColors: () => true });
}

/** Clears the screen, types into the terminal's title, begins a C1 sequence, rings, goes back in the line, turns the direction. */
const EVIL = "a\x1b[2J\x1b]0;x\x07\u009b31m\rb\u202ec\u2066d\u200be\u2028f\x7f\x00\u{e0041}";
const TOLD =
  "a\\x1b[2J\\x1b]0;x\\x07\\x9b31m\\x0db\\u{202e}c\\u{2066}d\\u{200b}e\\u{2028}f\\x7f\\x00\\u{e0041}";
const STEERS = /[^\P{C}\n\t]|[\u2028\u2029]/u;

test("a spinner stays on its line, above which remarks go, and leaves what was done", async () => {
  vi.useFakeTimers();
  vi.stubEnv("NO_COLOR", "1");
  vi.stubEnv("CI", "");
  terminal(true);
  Object.assign(process.stderr, { columns: 20 });
  try {
    const reporter = await chooseReporter({});
    reporter.begin("x", "Stack");
    reporter.progress(`1\n${EVIL}`);
    vi.advanceTimersByTime(80);
    reporter.note("info", "a remark");
    reporter.end("done", "all of it");
    const turns = vi.getTimerCount();
    reporter.note("info", "between steps");
    for (const outcome of ["skipped", "failed"] as const) {
      reporter.begin("y", "Other");
      reporter.end(outcome, "why");
    }
    expect(turns).toBe(0);
  } finally {
    vi.useRealTimers();
    Object.assign(process.stderr, { columns: undefined });
  }
  const [line, erased] = ["\r\x1b[K. Stack: 1\\x0aa\\x1b", "\r\x1b[K"];
  expect(err.replace(/[⠀-⣿]/g, ".")).toBe(
    `${erased}. Stack${line}${erased}a remark\n${line}${erased}✔ Stack: all of it\nbetween steps\n` +
      `${erased}. Other${erased}ℹ Other: why (skipped)\n${erased}. Other${erased}✖ Other\n`,
  );
});

describe("what comes from outside cannot steer a terminal", () => {
  test.each([
    ["a terminal", false],
    ["a pipe", true],
  ])("in text: %s", async (_what, isPlain) => {
    vi.stubEnv("NO_COLOR", "");
    terminal(!isPlain);
    const reporter = await chooseReporter({});
    reporter.begin("x", EVIL);
    reporter.progress(EVIL);
    reporter.note("info", EVIL);
    reporter.end("done", EVIL);
    reporter.result({}, [EVIL, ...table(["A"], [[`${EVIL}\nforged line`]])]);
    showError(new OperatorError(EVIL, { where: EVIL, remedy: EVIL, exitCode: ExitCode.docker }), {
      debug: true,
      json: false,
    });
    showError(new TypeError(EVIL), { debug: false, json: false });
    print(EVIL);
    say(EVIL);
    const ours = isPlain ? [] : [31, 32, 39].map((code) => `\x1b[${code}m`);
    const own = (text: string) => ours.reduce((rest, colour) => rest.replaceAll(colour, ""), text);
    expect(own(out)).not.toMatch(STEERS);
    expect(own(err)).not.toMatch(STEERS);
    expect(out.split(TOLD).length - 1).toBe(3);
    expect(err.split(TOLD).length - 1).toBeGreaterThan(7);
    expect(out).toContain(`${TOLD}\\x0aforged line\n`);
  });

  test("as JSON, from which a program gets every character", async () => {
    const reporter = await chooseReporter({ json: true });
    reporter.result({ name: EVIL }, []);
    reporter.note("warning", EVIL);
    showError(new OperatorError(EVIL, { exitCode: ExitCode.docker }), { debug: false, json: true });
    expect(out).not.toMatch(STEERS);
    const events = out.trim().split("\n");
    expect(events.map((line) => Object.values(JSON.parse(line) as object)[1] as unknown)).toEqual([
      EVIL,
      "warning",
      EVIL,
    ]);
  });
});

describe("colours", () => {
  const red = () => print(`${colours.red("a")} b\tc\nd`);

  test("are there on a terminal that has them", () => {
    terminal(true);
    vi.stubEnv("NO_COLOR", "");
    red();
    vi.stubEnv("NO_COLOR", "1");
    red();
    expect(out).toBe("\x1b[31ma\x1b[39m b\tc\nd\na b\tc\nd\n");
  });

  test("leave nothing where there are none", async () => {
    red();
    expect(out).toBe("a b\tc\nd\n");
    out = "";
    const lines = differenceLines([
      { service: "s", action: "remove", image: "i", reach: "tasks", changes: [] } as never,
    ]);
    (await chooseReporter({ json: true })).note("info", lines.join("\n"));
    expect(JSON.parse(out)).toMatchObject({ message: "remove s (i)" });
  });
});
