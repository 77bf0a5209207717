import { isImmutable, repositoryRules, ruleOf } from "../access/repositoryRules.js";
import { objectionError as error, type Objection, objectionWarning as warning } from "./objection.js";
import { resolve } from "./resolve.js";
import { defaultName, SELF } from "./schema/imageMirror.js";
import type { ParsedConfig } from "./schema/index.js";

type Path = Objection["path"];

/** What is wrong with `mirror`: sources that cannot be, or that stand in each other's way. */
export function mirrorFindings(config: ParsedConfig): Objection[] {
  return config.mirror.flatMap((entry, index): Objection[] => [
    ...judgeSource(config, entry.from, ["mirror", index, "from"]),
    ...judgeTarget(config, index),
    ...judgeTags(config, index),
  ]);
}

function judgeSource(config: ParsedConfig, from: string, path: Path): Objection[] {
  const { registry } = resolve(config);
  const [host = "", ...rest] = from.split("/");
  if (host === "docker.io" && rest.length === 1)
    return [
      error(
        path,
        `${from} lacks its folder`,
        `Official images are in library: docker.io/library/${rest[0]}.`,
      ),
    ];
  if (host.replace(/:\d+$/, "") === registry.host && config.expose === "traefik")
    return [error(path, `${from} is in this registry itself`, "Name a repository of another registry.")];
  return [];
}

function judgeTarget({ mirror }: ParsedConfig, index: number): Objection[] {
  const entry = mirror[index];
  if (entry === undefined) return [];
  const name = entry.name ?? defaultName(entry.to);
  const path = ["mirror", index, entry.name === undefined ? "to" : "name"];
  if (name === SELF)
    return [error(path, `the name ${SELF} stands for the stack's own images`, "Choose another name.")];
  const earlier = mirror.slice(0, index);
  const twin = earlier.find(({ to, from }) => to === entry.to && from !== entry.from);
  if (twin === undefined) return [];
  return [
    error(
      ["mirror", index, "to"],
      `${entry.to} gets images of ${twin.from} and of ${entry.from}, whose tags would replace each other`,
      "Give each its own repository.",
    ),
  ];
}

/** A tag that moves at its source cannot move here where it is immutable. */
function judgeTags(config: ParsedConfig, index: number): Objection[] {
  const entry = config.mirror[index];
  if (entry === undefined) return [];
  const rule = ruleOf(repositoryRules(config), entry.to);
  const place = entry.tags.findIndex((tag) => !/[*<>=~^]/.test(tag) && isImmutable(rule, tag));
  if (place < 0) return [];
  return [
    warning(
      ["mirror", index, "tags", place],
      `the tag ${entry.tags[place]} of ${entry.to} is immutable: it stays as it is when it moves at its source`,
      "Leave it so, or take the tag out of immutable.",
    ),
  ];
}
