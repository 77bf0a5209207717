import type { Config } from "../config/resolve.js";
import type { Finding, FindingKinds } from "../finding.js";
import type { Facts } from "./facts.js";

/** One check: collects facts and judges them. */
export interface Check {
  title: string;
  /**
   * What has to be there for it: an engine that answers, a manager, the front door (left out with
   * --no-verify).
   */
  needs?: "engine" | "manager" | "front door";
  /** Whether there is anything to look at with this config; always, when left out. */
  applies?(config: Config): boolean;
  /** Whether it looks only while nobody works on the stack: what a run leaves half-way is no fault. */
  onlyAtRest?: true;
  /** Whether a deploy runs it first, too: its errors prevent the deploy. */
  preflight?: true;
  run(facts: Facts): Promise<Finding[]>;
  /** What it cannot know here, and why, in a line; undefined if it knows all. */
  unknown?(facts: Facts): Promise<string | undefined>;
  /** The finding if the check cannot run; not-checked by default. */
  failed?(cause: unknown, facts: Facts): Finding;
}

/** The checks of one file, and the kinds of findings that they make. */
export interface Checks {
  kinds: readonly FindingKinds[];
  checks: readonly Check[];
}
