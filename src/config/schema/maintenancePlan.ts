import { z } from "zod";
import { absolutePath, text } from "../text.js";

/** Times as systemd has them, in an allow-list. Source: systemd.time(7), "Calendar events". */
export const CALENDAR = /^[\w*:,.~/ -]{1,80}$/;

/** What `hephaestus maintain` does beside the mirror and retention, which have their own keys. */
export const maintenance = z
  .strictObject({
    gc: z.boolean().default(true).describe("whether maintain frees the space of blobs that no image needs"),
    deleteUntagged: z
      .boolean()
      .default(false)
      .describe("whether that gc first deletes manifests without a tag"),
    backup: z
      .strictObject({
        path: absolutePath()
          .describe("directory of backups, on the machine that runs maintain")
          .meta({ derived: "required with `backup`" }),
        keep: z.int().min(1).max(10_000).default(14).describe("number of backups to keep"),
      })
      .optional()
      .describe("whether maintain makes a backup: `path`, `keep` (14)")
      .meta({ derived: "none" }),
    calendar: text({
      what: "a calendar event of systemd",
      remedy: "Write it as systemd.time(7) does, such as Sun 04:00 or *-*-* 03:30.",
      pattern: CALENDAR,
      maxLength: 80,
    })
      .default("*-*-* 03:30")
      .describe("when the systemd timer runs maintain"),
  })
  .prefault({});
