import { globPattern, REPOSITORY_NAME } from "../access/glob.js";
import {
  type AccessConfig,
  type Grant,
  grantText,
  isAnyPublic,
  PERMISSIONS,
  repositoryRules,
} from "../access/repositoryRules.js";
import type { Config } from "../config/resolve.js";

/** A tag or a digest, whose colon a client may have encoded. */
const REFERENCE = "(?:[A-Za-z0-9_.:+-]|%3[Aa])+";
/** The id of an upload; a new one has none yet. */
const UPLOAD = "blobs/uploads/[A-Za-z0-9_.=-]*";

/**
 * What each request does, by what follows the repository in its path. Source: OCI distribution specification 1.1,
 * endpoints.
 */
const OPERATIONS: readonly { methods: string; rest: string; operation: string }[] = [
  { methods: "(?:GET|HEAD)", rest: "(?:manifests|blobs|referrers)/[^/?]+", operation: "pull" },
  { methods: "(?:GET|HEAD)", rest: "tags/list", operation: "pull" },
  { methods: "[A-Z]+", rest: "blobs/uploads/[^/?]*", operation: "push" },
  { methods: "PUT", rest: "manifests/[^/?]+", operation: "push" },
  { methods: "DELETE", rest: "(?:manifests|blobs)/[^/?]+", operation: "delete" },
];

/** The end of a path, and its query. What follows a `#` is the query's for the registry, and none of it for nginx. */
const END = "(?:\\?[^#]*)?$";

/** Whether the gateway judges each request by rules: where the config has some, or an account with fewer rights. */
export const hasRules = ({ access }: Pick<Config, "access">): boolean => access.length > 0;

/** A grant as the maps have it: `*` for anyone, `@` for every user, or names between commas. */
export const grantMark = (grant: Grant): string =>
  grant === "anonymous" ? "*" : grant === "authenticated" ? "@" : `,${grant.join(",")},`;

/** What the templates of the gateway's access maps and of its JavaScript are filled with. */
export function accessValues(config: AccessConfig) {
  const rules = repositoryRules(config);
  const written = rules.filter(({ number }) => number > 0);
  const lowest = isAnyPublic(rules) ? "*" : "@";
  return {
    repositoryName: REPOSITORY_NAME,
    operations: OPERATIONS.map(({ methods, rest, operation }) => ({
      pattern: `^${methods} /v2/[^?]+/${rest}${END}`,
      operation,
    })),
    targetPattern: `^/v2/(?<name>${REPOSITORY_NAME})/(?:(?:manifests|blobs|referrers)/${REFERENCE}|${UPLOAD}|tags/list)${END}`,
    end: END,
    lowest,
    rules: written.map((rule) => ({
      number: rule.number,
      comment: `${rule.repositories.join(", ")}: pull ${grantText(rule.pull)}; push ${grantText(rule.push)}; delete ${grantText(rule.delete)}`,
      patterns: rule.repositories.map(globPattern),
    })),
    grants: rules.flatMap((rule) =>
      PERMISSIONS.map((permission) => ({
        key: `${rule.number} ${permission}`,
        mark: grantMark(rule[permission]),
      })),
    ),
    immutable: written
      .filter(({ immutable }) => immutable.length > 0)
      .map(({ number, immutable }) => ({
        number,
        // The query is no part of a tag.
        tags: immutable.map((glob) => globPattern(glob).slice(1, -1).replaceAll("[^/]", "[^/?]")).join("|"),
      })),
  };
}
