import { z } from "zod";
import { shortName, text } from "../text.js";
import { group, optional } from "./keys.js";
import { repositoryGlob } from "./repositoryAccess.js";

/** Where `hephaestus doctor --notify` reports. */
export const alerts = group({
  url: optional(
    text({
      what: "an http address",
      remedy: "Write it without a login, such as https://ntfy.example.com/registry.",
      pattern:
        /^https?:\/\/[a-zA-Z0-9.-]+(?::\d{1,5})?(?:\/[\w.~%!$&'()*+,;=:@/-]*)?(?:\?[\w.~%!$&'()*+,;=:@/?-]*)?$/,
      maxLength: 1024,
    }),
    "address that gets findings as JSON; HEPHAESTUS_ALERT_URL overrides it, for an address that is secret",
    "none",
  ),
  mail: z
    .array(
      text({
        what: "a mail address",
        remedy: "Write it as ops@example.com.",
        pattern: /^[A-Za-z0-9._%+-]+@[a-zA-Z0-9.-]+$/,
      }),
    )
    .max(20)
    .default([])
    .describe("mail addresses that get findings, through the host's sendmail"),
});

/** Events that a receiver can ask for. Source: distribution, docs "Work with notifications". */
const NOTIFIED_ACTIONS = ["push", "delete"] as const;

/** The receivers of pushes and deletions. */
export const notifications = z
  .array(
    z.strictObject({
      name: shortName(),
      url: text({
        what: "an http address",
        remedy: "Write it without a login, such as https://ci.example.com/hooks/registry.",
        pattern: /^https?:\/\/[a-zA-Z0-9._-]+(?::\d{1,5})?(?:\/[\w.~%/-]*)?(?:\?[\w.~%=&-]*)?$/,
        maxLength: 1024,
      }),
      actions: z
        .array(z.enum(NOTIFIED_ACTIONS))
        .min(1)
        .default([...NOTIFIED_ACTIONS]),
      repositories: z.array(repositoryGlob).default([]),
      headers: z.boolean().default(false),
    }),
  )
  .max(50)
  .default([])
  .describe(
    "receivers of events: `name`, `url`, `actions` (`push`, `delete`), `repositories`, `headers` ([notifications](notifications.md))",
  );
