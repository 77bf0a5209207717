import { z } from "zod";
import { REPOSITORY_NAME, TAG_GLOB } from "../../access/glob.js";
import { imageReference, placementConstraint, shortName, text } from "../text.js";
import { choice, flag, group, list } from "./keys.js";
import { resources } from "./registry.js";

const source = text({
  what: "a repository with its registry",
  remedy:
    "Write the registry first and no tag, such as docker.io/library/alpine or quay.io/prometheus/prometheus.",
  pattern: new RegExp(
    `^(?:[a-z0-9-]+(?:\\.[a-z0-9-]+)+(?::\\d{1,5})?|[a-z0-9-]+:\\d{1,5}|localhost)/${REPOSITORY_NAME}$`,
  ),
});

const target = text({
  what: "a repository",
  remedy:
    "Write path segments of lower-case letters, digits and . _ -, without a host and a tag: mirror/alpine.",
  pattern: new RegExp(`^${REPOSITORY_NAME}$`),
  maxLength: 200,
});

/** One comparison of a range of versions. Source: regclient, internal/semver. */
const COMPARISON = "(?:>=|<=|>|<|=|\\^|~)v?\\d+(?:\\.\\d+){0,2}(?:-[0-9A-Za-z.-]+)?";
const RANGE = new RegExp(`^${COMPARISON}(?: ${COMPARISON})*$`);

/** Whether an entry of `tags` is a range of versions, and no glob. */
export const isVersionRange = (entry: string): boolean => RANGE.test(entry);

const tags = text({
  what: "a glob for tags or a range of versions",
  remedy: 'Write a glob such as 3.2*, or comparisons with spaces between them such as ">=3.20 <4".',
  pattern: new RegExp(`${TAG_GLOB.source}|${RANGE.source}`),
  maxLength: 128,
});

/** A platform, as images name it: os/architecture[/variant]. */
const PLATFORM = /^[a-z0-9]+\/[a-z0-9]+(?:\/v\d+)?$/;

const platform = text({
  what: "a platform",
  remedy: "Write it as linux/amd64 or linux/arm/v7.",
  pattern: PLATFORM,
});

const every = text({
  what: "a time",
  remedy: "Write a number with m, h or d behind it, such as 6h.",
  pattern: /^[1-9]\d{0,3}[mhd]$/,
});

/** Name of the sources that are the stack's own images. */
export const SELF = "self";

/** The name of a source that has none: the last part of its target. */
export const defaultName = (to: string): string => to.replace(/^.*\//, "").replace(/[^a-z0-9]+/g, "-");

/** What is brought here. Source of the meaning: ../../stack/mirrorSources.ts. */
export const mirror = z
  .array(
    z.strictObject({
      name: shortName().optional(),
      from: source,
      to: target,
      tags: z.array(tags).min(1),
      platforms: z
        .array(platform)
        .min(1)
        // Source: distribution, registry/storage/manifestlisthandler.go: each manifest that an index names
        // has to be there.
        .refine((platforms) => platforms.length === 1, {
          message: "names several platforms, but a registry takes an index only with all of its images",
          params: { remedy: "Name one platform, or leave platforms out for all of them." },
        })
        .optional(),
      referrers: z.boolean().default(true),
      every: every.default("6h"),
      plainHttp: z.boolean().default(false),
    }),
  )
  .max(1000)
  .default([])
  .describe(
    "images from other registries that are copied to this one: `from`, `to`, `tags`, `platforms`, `referrers`, `every`, `plainHttp`, `name` ([mirror](mirror.md))",
  );

export const regsync = group({
  image: imageReference()
    .default("ghcr.io/regclient/regsync:v0.11.7")
    .describe("regsync (regclient), which copies the images of `mirror`"),
  logins: flag(
    false,
    "whether sources need logins; REGISTRY_MIRROR_LOGINS passes them as a Docker config.json",
  ),
  self: choice(
    ["off", "mirror", "use"],
    "off",
    "whether the stack's own images are mirrored too, and whether deploy uses the copies",
  ),
  placement: group({
    constraints: list(placementConstraint(), "nodes that may run it"),
  }),
  resources: resources(1, "256M"),
});
