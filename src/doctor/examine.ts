import { ExitCode, OperatorError } from "../errors.js";
import { error, errorOrWarning, type Finding, findingKinds, sortFindings } from "../finding.js";
import type { Check } from "./check.js";
import type { Facts } from "./facts.js";

export const EXAMINATION_KINDS = findingKinds("Docker and Swarm", {
  "not-checked": errorOrWarning("could not be checked: {what}", "{advice}", {
    remedy: "See why with: hephaestus doctor --verbose",
  }),
  "not-planned": error("what a deploy would do cannot be planned", "{advice}", {
    remedy: "Remove the cause, and deploy again.",
  }),
});

export interface Diagnosis {
  findings: Finding[];
  /** Titles of the checks that ran. */
  checked: string[];
  /** Titles of those that could not, since Docker or the Swarm did not answer, or were not asked for. */
  skipped: string[];
  /** What checks that ran cannot know here, and why. */
  unknown: string[];
}

/**
 * Runs the checks, all at once. One that cannot be run is a finding itself and hides none of the others.
 *
 * @param verify whether to ask at the front door
 */
export async function examine(checks: readonly Check[], facts: Facts, verify: boolean): Promise<Diagnosis> {
  const there = await reachable(facts, verify);
  const fitting = checks.filter(({ applies }) => applies?.(facts.config) ?? true);
  const ready = fitting.filter(({ needs }) => there(needs));
  const left = fitting.filter(({ needs }) => !there(needs));
  const findings = await Promise.all(
    ready.map((check) =>
      runCheck(check, facts).catch((cause) => {
        if (cause instanceof OperatorError && cause.exitCode === ExitCode.interrupted) throw cause;
        return [check.failed?.(cause, facts) ?? notChecked(check, cause)];
      }),
    ),
  );
  // If the facts could not be read, the check itself has said so.
  const unknown = await Promise.all(ready.map(({ unknown }) => unknown?.(facts).catch(() => undefined)));
  return {
    findings: sortFindings(findings.flat()),
    checked: ready.map(({ title }) => title),
    skipped: left.map(({ title }) => title),
    unknown: unknown.filter((line) => line !== undefined),
  };
}

const runCheck = async ({ onlyAtRest, run }: Check, facts: Facts): Promise<Finding[]> =>
  onlyAtRest && (await facts.isLocked()) ? [] : run(facts);

/** Which parts of the environment can be reached. */
async function reachable(facts: Facts, verify: boolean): Promise<(needs: Check["needs"]) => boolean> {
  const swarm = await facts.swarm().catch(() => undefined);
  return (needs) =>
    ({
      engine: swarm !== undefined,
      manager: swarm?.isManager === true,
      "front door": verify,
      nothing: true,
    })[needs ?? "nothing"];
}

/** An error as the evidence and the remedy of a finding. */
export function evidenceOf(cause: unknown): { evidence: string; remedy: string | undefined } {
  if (!(cause instanceof OperatorError))
    return { evidence: (cause as Error)?.message ?? String(cause), remedy: undefined };
  const { message, where, remedy } = cause;
  return { evidence: where === undefined ? message : `${where}: ${message}`, remedy };
}

function notChecked({ title }: Check, cause: unknown): Finding {
  const { evidence, remedy = "See what it asked Docker with: hephaestus doctor --verbose" } =
    evidenceOf(cause);
  return EXAMINATION_KINDS.found("not-checked", { what: title, advice: remedy }, evidence, "warning");
}
