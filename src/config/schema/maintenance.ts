import { z } from "zod";
import { absolutePath, days, text } from "../text.js";
import { count, flag, group, optional } from "./keys.js";
import { repositoryGlob, tagGlob } from "./repositoryAccess.js";

/** Times as systemd has them, in an allow-list. Source: systemd.time(7), "Calendar events". */
export const CALENDAR = /^[\w*:,.~/ -]{1,80}$/;

/** What `hephaestus maintain` does beside the mirror and retention, which have their own keys. */
export const maintenance = group({
  gc: flag(true, "whether maintain frees the space of blobs that no image needs"),
  deleteUntagged: flag(false, "whether that gc first deletes manifests without a tag"),
  backup: optional(
    z.strictObject({
      path: absolutePath()
        .describe("directory of backups, on the machine that runs maintain")
        .meta({ derived: "required with `backup`" }),
      keep: count(1, 10_000, 14, "number of backups to keep"),
    }),
    "whether maintain makes a backup: `path`, `keep` (14)",
    "none",
  ),
  calendar: text({
    what: "a calendar event of systemd",
    remedy: "Write it as systemd.time(7) does, such as Sun 04:00 or *-*-* 03:30.",
    pattern: CALENDAR,
    maxLength: 80,
  })
    .default("*-*-* 03:30")
    .describe("when the systemd timer runs maintain"),
});

/** What a rule keeps; a tag that one of these keeps stays. */
const keep = z
  .strictObject({
    last: z.int().min(1).max(1_000_000).optional(),
    within: days("30d").optional(),
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
