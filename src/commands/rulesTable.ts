import {
  type AccessConfig,
  grantText,
  PERMISSIONS,
  type RepositoryRule,
  repositoryRules,
} from "../access/repositoryRules.js";
import { table } from "../terminal/table.js";

/** The rules as a table, for `render --explain`. */
export const rulesTable = (config: AccessConfig): string[] =>
  table(["RULE", "REPOSITORIES", "PULL", "PUSH", "DELETE", "IMMUTABLE"], repositoryRules(config).map(row));

const row = (rule: RepositoryRule): string[] => [
  rule.number === 0 ? "other" : String(rule.number),
  rule.repositories.join(", "),
  ...PERMISSIONS.map((permission) => grantText(rule[permission])),
  rule.immutable.join(", ") || "-",
];
