import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { main } from "../../src/cli.js";
import { shownArguments } from "../../src/credentials/redaction.js";
import { ExitCode } from "../../src/errors.js";
import { chooseReporter, type ReportFlags } from "../../src/terminal/chooseReporter.js";
import { inStep } from "../../src/terminal/inStep.js";

let out: string;
let err: string;

beforeEach(() => {
  [out, err] = ["", ""];
  const into = (add: (text: string) => void) => (text: unknown, done?: unknown) => {
    add(String(text));
    if (typeof done === "function") done();
    return true;
  };
  vi.spyOn(process.stdout, "write").mockImplementation(into((text) => (out += text)));
  vi.spyOn(process.stderr, "write").mockImplementation(into((text) => (err += text)));
});
afterEach(() => vi.restoreAllMocks());

/** What a command tells that does a step, has a remark of each kind, a result and a new password. */
async function told(flags: ReportFlags) {
  const reporter = await chooseReporter(flags);
  reporter.begin("stack", "Stack");
  reporter.progress("half of it");
  reporter.note("info", "a remark");
  reporter.note("warning", "a warning");
  reporter.note("error", "a fault");
  reporter.end("done", "all of it");
  reporter.result({ registry: "https://a.example" }, ["registry https://a.example"]);
  await reporter.password("ann", "Anvil-7");
  return { out, err };
}

test("a step ends in any case, as what it was", async () => {
  const reporter = await chooseReporter({ json: true });
  const step = { id: "check", title: "Check" };
  expect(
    await inStep(
      reporter,
      step,
      async () => 7,
      (seven) => `${seven} of 7`,
    ),
  ).toBe(7);
  await inStep(
    reporter,
    step,
    async () => 6,
    () => ({ outcome: "failed", message: "6 of 7" }),
  );
  const broken = new Error("broken");
  await expect(
    inStep(
      reporter,
      step,
      () => Promise.reject(broken),
      () => "",
    ),
  ).rejects.toBe(broken);
  const ends = out.split("\n").filter((line) => line.includes('"end"'));
  expect(ends.map((line) => JSON.parse(line) as unknown)).toEqual([
    { event: "end", step: "check", outcome: "done", message: "7 of 7" },
    { event: "end", step: "check", outcome: "failed", message: "6 of 7" },
    { event: "end", step: "check", outcome: "failed", message: "broken" },
  ]);
});

describe("how a command reports", () => {
  test("--quiet leaves out steps, progress and remarks, and nothing else", async () => {
    await told({ quiet: true });
    expect(err).toBe("warning: a warning\nerror: a fault\n");
    expect(out).toContain("registry https://a.example\npassword of ann: Anvil-7\n");
  });

  test("without it all is told", async () => {
    await told({});
    expect(err).toContain("Stack ...\nStack: half of it\na remark\n");
    expect(err).toContain("Stack: ok: all of it\n");
  });

  test("a dry run is never quiet: what it tells is its result", async () => {
    await told({ quiet: true, dryRun: true });
    expect(err).toContain("Stack: ok: all of it\n");
  });

  test("--quiet --json gives the same few events as JSON", async () => {
    await told({ quiet: true, json: true });
    const events = out.trim().split("\n");
    expect(events.map((line) => JSON.parse(line) as unknown)).toEqual([
      { event: "note", level: "warning", message: "a warning" },
      { event: "note", level: "error", message: "a fault" },
      { event: "result", registry: "https://a.example" },
      { event: "password", user: "ann", password: "Anvil-7" },
    ]);
    expect(err).toBe("");
  });
});

test("a docker command that is shown hides the values of variables that are named like secrets", () => {
  const shown = (...args: string[]) => shownArguments(args).join(" ");
  expect(shown("run", "-e", "DB_PASSWORD=a=b", "--env", "A=b", "--env-add=API_TOKEN=x\ny")).toBe(
    "run -e DB_PASSWORD=(not shown) --env A=b --env-add=API_TOKEN=(not shown)",
  );
  const own = ["secret", "create", "--label", "hephaestus.secret=ui", "forge_ui_1", "-"];
  expect(shownArguments(own)).toEqual(own);
  const mount = ["--secret", "source=forge_htpasswd_1,target=htpasswd"];
  expect(shownArguments(mount)).toEqual(mount);
});

test.each([
  // What fetch throws after Ctrl-C: its code is the number 20.
  [
    new DOMException("This operation was aborted", "AbortError"),
    ExitCode.interrupted,
    "error: interrupted\n",
  ],
  [
    Object.assign(new Error("The operation was aborted"), { name: "AbortError", code: "ABORT_ERR" }),
    ExitCode.interrupted,
    "error: interrupted\n",
  ],
  [Object.assign(new Error("odd"), { code: 5 }), ExitCode.bug, "This is a bug of hephaestus: odd\n"],
  [new TypeError("wrong"), ExitCode.bug, "This is a bug of hephaestus: wrong\n"],
  ["words", ExitCode.bug, "This is a bug of hephaestus: words\n"],
  [undefined, ExitCode.bug, "This is a bug of hephaestus: undefined\n"],
  [null, ExitCode.bug, "This is a bug of hephaestus: null\n"],
])("whatever a command throws is told in words: %s", async (thrown, exitCode, text) => {
  vi.mocked(process.stdout.write).mockImplementationOnce(() => {
    throw thrown;
  });
  expect(await main(["node", "hephaestus", "schema"])).toBe(exitCode);
  expect(err).toContain(text);
});
