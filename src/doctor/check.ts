import type { Config } from "../config/resolve.js";
import type { Facts } from "./facts.js";
import type { Finding, Theme } from "./finding.js";

/** One thing that is looked at: gathers what it needs, and judges it. */
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
  /** What it means that it could not be run; without it, that it could not. */
  failed?(cause: unknown, facts: Facts): Finding;
}
