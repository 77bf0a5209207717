import { z } from "zod";
import { text } from "../text.js";
import { group, optional } from "./keys.js";

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
