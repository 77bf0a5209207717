import type { Config } from "../config/resolve.js";
import type { Facts } from "./facts.js";
import type { Finding, Theme } from "./finding.js";

/** One check of doctor: collects facts and judges them. */
export interface Check {
  id: string;
  title: string;
  theme: Theme;
  /** What has to be there for it: an engine that answers, a manager, the front door (left out with --no-verify). */
  needs?: "engine" | "manager" | "front door";
  /** Whether there is anything to look at with this config; always, when left out. */
  applies?(config: Config): boolean;
  /** Whether it looks only while nobody works on the stack: what a run leaves half-way is no fault. */
  onlyAtRest?: true;
  run(facts: Facts): Promise<Finding[]>;
  /** What it cannot know here, and why, in a line; undefined where it knows all. */
  unknown?(facts: Facts): Promise<string | undefined>;
  /** The finding if the check cannot run; not-checked by default. */
  failed?(cause: unknown, facts: Facts): Finding;
}
