import { z } from "zod";
import { REPOSITORY_GLOB, TAG_GLOB } from "../../access/glob.js";
import { USER_NAME } from "../../credentials/userNames.js";
import { text, UNPRINTABLE } from "../text.js";
import { userName } from "./edge.js";

const groupName = text({
  what: "a name of a group",
  remedy: "Use letters, digits and . _ @ -, at most 64 characters.",
  pattern: USER_NAME,
  maxLength: 64,
});

/** Authelia separates groups by commas; quotes, dollars and backslashes mean something to nginx. */
const WORD_OF_GROUP = `[^\\s${UNPRINTABLE},"$\\\\]`;

const names = z.array(
  text({
    what: "a name of a user or a group",
    remedy:
      'Use letters, digits and . _ @ -, at most 64 characters. Behind group: the name of a group may have all but , " $ and \\.',
    pattern: new RegExp(
      `^(?:(?:user:)?${USER_NAME.source.slice(1, -1)}|group:${WORD_OF_GROUP}+(?: +${WORD_OF_GROUP}+)*)$`,
      "u",
    ),
    maxLength: 128,
  }),
);

export const repositoryGlob = text({
  what: "a glob for repositories",
  remedy:
    "Write path segments of lower-case letters, digits and . _ -, where * stands for any characters of one segment and ** for any number of segments: team-a/**.",
  pattern: REPOSITORY_GLOB,
});

export const tagGlob = text({
  what: "a glob for tags",
  remedy: "Use letters, digits and . _ -, where * stands for any characters: v*.",
  pattern: TAG_GLOB,
  maxLength: 128,
});

/** The first rule that matches decides. Source of the roles: ../../access/rules.ts. */
export const access = z
  .array(
    z.strictObject({
      repositories: z.array(repositoryGlob).min(1),
      pull: z.union([z.enum(["anonymous", "authenticated"]), names]).optional(),
      push: z.union([z.enum(["authenticated"]), names]).optional(),
      delete: z.union([z.enum(["authenticated"]), names]).optional(),
      immutable: z.array(tagGlob).default([]),
    }),
  )
  .max(1000)
  .default([])
  .describe(
    "rules for repositories, of which the first that matches decides: `repositories`, `pull`, `push`, `delete`, `immutable` ([who may do what](access.md))",
  );

export const groups = z
  .record(groupName, z.array(userName).min(1))
  .default({})
  .describe("groups of users for `access`, by name");
