import { describe, expect, test, vi } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import { interrupted } from "../../src/docker/failures.js";
import { boundedDocker, type Docker } from "../../src/docker/run.js";
import { CHECKS } from "../../src/doctor/allChecks.js";
import type { Check } from "../../src/doctor/check.js";
import { examine } from "../../src/doctor/examine.js";
import { factsOf } from "../../src/doctor/facts.js";
import { ExitCode, OperatorError } from "../../src/errors.js";
import { type Finding, type Severity, sortFindings, type Theme } from "../../src/finding.js";
import { shown } from "../../src/terminal/output.js";
import { findingLines } from "../../src/terminal/showFindings.js";
import { FakeEngine } from "../support/fakeEngine.js";

const { config } = loadConfig(
  "domain: a.example\nexpose: ports\nstack: forge\nregistry: { image: registry:3.1.2 }",
  "f",
  {},
);

const SILENT = new OperatorError("Cannot connect to the Docker daemon", {
  where: "docker version",
  remedy: "Start Docker.",
  exitCode: ExitCode.preflight,
});

/** An engine of a worker, or one that does not answer. */
function subject(silence?: Error) {
  const engine = new FakeEngine();
  engine.now = Date.now();
  engine.swarm.ControlAvailable = false;
  const asked: string[] = [];
  const onCall = (call: string) => {
    asked.push(call);
    if (silence) throw silence;
  };
  const docker = engine.docker(onCall, ([verb]) =>
    verb === "context" ? "ssh://worker" : '{"Version":"28.0.0","ApiVersion":"1.48"}',
  );
  return {
    facts: factsOf({
      config,
      warnings: [],
      files: [],
      folder: ".",
      docker,
      signal: new AbortController().signal,
    }),
    asked,
  };
}

const finding = (
  severity: Severity,
  code: string,
  theme: Theme = "Services",
  message = "m",
  evidence = "e",
  remedy = "r",
): Finding => ({ code, theme, severity, message, evidence, remedy });

const check = (title: string, run: Check["run"], changes: Partial<Check> = {}): Check => ({
  title,
  run,
  ...changes,
});

const sound = async () => [];
const sick = async () => [finding("error", "service-down")];

describe("an examination", () => {
  test("a check that cannot be run hides none of the others", async () => {
    const checks = [
      check("a", sick),
      check("b", () => Promise.reject(new Error("boom"))),
      check("c", () => Promise.reject(SILENT)),
      check("d", sound),
    ];
    const { findings, checked } = await examine(checks, subject(SILENT).facts, true);
    expect(findings.map(({ code, message, evidence }) => `${code} ${message}: ${evidence}`)).toEqual([
      "service-down m: e",
      "not-checked could not be checked: b: boom",
      "not-checked could not be checked: c: docker version: Cannot connect to the Docker daemon",
    ]);
    expect(checked).toHaveLength(4);
  });

  test("what a check cannot know is told, and is no finding", async () => {
    const checks = [
      check("a", sound, { unknown: async () => "whether: why" }),
      check("b", sound, { unknown: async () => undefined }),
      check("c", () => Promise.reject(SILENT), { unknown: () => Promise.reject(SILENT) }),
    ];
    const { findings, unknown } = await examine(checks, subject(SILENT).facts, true);
    expect(findings.map(({ code }) => code)).toEqual(["not-checked"]);
    expect(unknown).toEqual(["whether: why"]);
  });

  test("without Docker it says so once, and leaves out what needs it", async () => {
    const { findings, checked, skipped } = await examine(CHECKS, subject(SILENT).facts, false);
    expect(findings.map(({ code, remedy }) => `${code} ${remedy}`)).toEqual(["docker-silent Start Docker."]);
    expect(checked).toContain("rendered files");
    expect(skipped).toEqual(expect.arrayContaining(["services, tasks and updates", "storage", "DNS"]));
  });

  test("on a worker it looks at the engine, and not at what only a manager knows", async () => {
    const { facts, asked } = subject();
    const { findings } = await examine(CHECKS, facts, false);
    expect(findings.map(({ code }) => code)).toEqual(["no-manager"]);
    expect(asked.filter((line) => !/^(?:context inspect|version|GET \/(?:info|version))/.test(line))).toEqual(
      [],
    );
  });

  test("what several checks want to know is asked once", async () => {
    const { facts, asked } = subject(SILENT);
    await examine([...CHECKS, ...CHECKS], facts, false);
    expect(asked.filter((line) => line.startsWith("context inspect"))).toHaveLength(1);
  });

  test("a check that does not fit the config is neither run nor told", async () => {
    const run = vi.fn(sick);
    const { checked, skipped } = await examine(
      [check("a", run, { applies: () => false })],
      subject(SILENT).facts,
      true,
    );
    expect([run.mock.calls.length, checked, skipped]).toEqual([0, [], []]);
  });

  test("Ctrl-C ends it", async () => {
    const checks = [check("a", () => Promise.reject(interrupted()))];
    await expect(examine(checks, subject(SILENT).facts, true)).rejects.toMatchObject({
      exitCode: ExitCode.interrupted,
    });
  });
});

test("a docker command or a request may not take for ever, unless it is told how long", async () => {
  const options: unknown[] = [];
  const docker = {
    run: async (_args: unknown, run: unknown) => options.push(run),
    attempt: async (_args: unknown, run: unknown) => options.push(run),
    ask: async (request: unknown) => options.push(request),
  } as unknown as Docker;
  const bounded = boundedDocker(docker, 30_000);
  await bounded.run(["info"]);
  await bounded.attempt(["info"], { timeout: 5, directory: "x" });
  await bounded.ask({ method: "GET", path: "/info" });
  expect(options).toEqual([
    { timeout: 30_000 },
    { timeout: 5, directory: "x" },
    { timeout: 30_000, method: "GET", path: "/info" },
  ]);
});

test("errors come before warnings, both in groups, each with evidence and remedy", () => {
  const findings = [
    finding("warning", "service-off", "Services", "later", "e1", "r1"),
    finding("error", "storage-full", "Storage", "broken", "line 1\nline 2", "r2"),
    finding("error", "service-down", "Services", "down", "e3", "r3"),
    finding("error", "service-missing", "Services", "off", "e4", "r4"),
  ];
  const sorted = sortFindings(findings);
  expect(sorted.map(({ code }) => code)).toEqual([
    "service-down",
    "service-missing",
    "storage-full",
    "service-off",
  ]);
  expect(shown(findingLines(sorted).join("\n"))).toBe(
    `Services
  error: down [service-down]
    seen by: e3
    remedy:  r3
  error: off [service-missing]
    seen by: e4
    remedy:  r4

Storage
  error: broken [storage-full]
    seen by: line 1
             line 2
    remedy:  r2

Services
  warning: later [service-off]
    seen by: e1
    remedy:  r1`,
  );
});
