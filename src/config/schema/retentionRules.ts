import { z } from "zod";
import { text } from "../text.js";
import { repositoryGlob, tagGlob } from "./repositoryAccess.js";

const days = text({
  what: "a number of days",
  remedy: "Write days with a d behind them, such as 30d.",
  pattern: /^[1-9]\d{0,4}d$/,
});

/** What a rule keeps; a tag that one of these keeps stays. */
const keep = z
  .strictObject({
    last: z.int().min(1).max(1_000_000).optional(),
    within: days.optional(),
    tags: z.array(tagGlob).min(1).optional(),
  })
  .refine((value) => Object.keys(value).length > 0, {
    message: "keeps nothing",
    params: { remedy: "Write last, within, tags, or several of them." },
  });

/** The first rule that matches decides. Source of the meaning: ../../maintenance/retentionPolicy.ts. */
export const retention = z
  .array(z.strictObject({ repositories: z.array(repositoryGlob).min(1), keep }))
  .max(1000)
  .default([])
  .describe(
    "which tags `prune-tags` keeps, by rules of which the first that matches decides: `repositories`, `keep` (`last`, `within`, `tags`)",
  );
