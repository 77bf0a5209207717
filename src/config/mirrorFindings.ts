import { isImmutable, type RepositoryRule, repositoryRules, ruleOf } from "../access/repositoryRules.js";
import { type ConfigIssue, error, warning } from "./configIssue.js";
import { resolve } from "./resolve.js";
import { defaultName, SELF } from "./schema/imageMirror.js";
import type { ParsedConfig } from "./schema/index.js";

type Path = ConfigIssue["path"];
type Entry = ParsedConfig["mirror"][number];

/** What is wrong with `mirror`: sources that cannot be, or that stand in each other's way. */
export function mirrorFindings(config: ParsedConfig): ConfigIssue[] {
  const own = config.expose === "traefik" ? resolve(config).registry.host : undefined;
  const rules = repositoryRules(config);
  return config.mirror.flatMap((entry, index): ConfigIssue[] => [
    ...judgeSource(entry.from, own, ["mirror", index, "from"]),
    ...judgeTarget(entry, config.mirror.slice(0, index), ["mirror", index]),
    ...judgeTags(entry, ruleOf(rules, entry.to), ["mirror", index, "tags"]),
  ]);
}

/** @param own the host of this registry, where images are named by it */
function judgeSource(from: string, own: string | undefined, path: Path): ConfigIssue[] {
  const [host = "", ...rest] = from.split("/");
  if (host === "docker.io" && rest.length === 1)
    return [
      error(
        path,
        `${from} lacks its folder`,
        `Official images are in library: docker.io/library/${rest[0]}.`,
      ),
    ];
  if (host.replace(/:\d+$/, "") === own)
    return [error(path, `${from} is in this registry itself`, "Name a repository of another registry.")];
  return [];
}

function judgeTarget(entry: Entry, earlier: readonly Entry[], path: Path): ConfigIssue[] {
  const named = [...path, entry.name === undefined ? "to" : "name"];
  if ((entry.name ?? defaultName(entry.to)) === SELF)
    return [error(named, `the name ${SELF} stands for the stack's own images`, "Choose another name.")];
  const twin = earlier.find(({ to, from }) => to === entry.to && from !== entry.from);
  if (twin === undefined) return [];
  return [
    error(
      [...path, "to"],
      `${entry.to} gets images of ${twin.from} and of ${entry.from}, whose tags would replace each other`,
      "Give each its own repository.",
    ),
  ];
}

/** A tag that moves at its source cannot move here where it is immutable. */
function judgeTags(entry: Entry, rule: RepositoryRule, path: Path): ConfigIssue[] {
  const place = entry.tags.findIndex((tag) => !/[*<>=~^]/.test(tag) && isImmutable(rule, tag));
  if (place < 0) return [];
  return [
    warning(
      [...path, place],
      `the tag ${entry.tags[place]} of ${entry.to} is immutable: it stays as it is when it moves at its source`,
      "Leave it so, or take the tag out of immutable.",
    ),
  ];
}
