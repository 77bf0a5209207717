import type { RepositoryRule } from "../../../access/repositoryRules.js";
import type { CheckLimits } from "./checks.js";

/** What the program reads of a config. */
export interface Settings {
  /** The rules in their order, as `hephaestus access` has them. The last one matches every repository. */
  rules: readonly RepositoryRule[];
  /** Whether anything may be deleted. */
  delete: boolean;
  /** Who knows the users. The accounts of the stack are always the registry's. */
  provider: "htpasswd" | "authelia" | "both";
  /** Repositories that the mirror writes. */
  mirrored: readonly string[];
  /** Where clients are sent, and the name by which other services of the Swarm ask. */
  address: { scheme: string; authority: string; inside?: string };
  /** Where people find the UI. */
  ui?: string;
  /** The folder of the images, if the gateway reads from it. */
  storage?: string;
  limits: CheckLimits;
  /** What users' tokens say about how long they are good for. */
  tokenSeconds: number;
  /** How many bodies that nobody reads may come at once, and how many of its own answers may wait for clients. */
  unread: number;
  /** Whether the log or the metrics say what each request is. */
  namesActions: boolean;
}
