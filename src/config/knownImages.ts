/**
 * Versions of the images that fit here, each of which really exists. Looked up on 24 November 2026: releases of
 * distribution/distribution, docker-library/official-images (library/registry), nginx.org (news and security advisories),
 * Joxit/docker-registry-ui. They are judged by their release notes: the tests run with stand-ins of registry 2.8 and
 * nginx 1.22, so keep deploy's own proof, its healthchecks and its front door.
 */

export interface KnownVersion {
  version: string;
  /** Day of its release; where that is not known, the first day on which it is known to have been there. */
  date: string;
  /** What changed, as far as it matters here. */
  note: string;
  /** What to mind on the way to it. */
  mind?: string;
}

/** The versions of one image, whatever mirror it comes from. */
export interface KnownImage {
  /** Where it stands in the config. */
  path: readonly [string, "image"];
  /** Last part of the repository's name. */
  name: string;
  /** What follows the version in the tag. */
  suffix: string;
  /** In rising order. */
  versions: readonly KnownVersion[];
}

export const KNOWN_IMAGES: readonly KnownImage[] = [
  {
    path: ["registry", "image"],
    name: "registry",
    suffix: "",
    versions: [
      {
        version: "2.8.2",
        date: "2023-05-11",
        note: "the catalog no longer takes any amount of memory (CVE-2023-2253)",
      },
      { version: "2.8.3", date: "2023-10-02", note: "the last of line 2, built with a newer Go" },
      {
        version: "3.0.0",
        date: "2025-04-02",
        note: "line 3: the garbage collection knows the parts of multi-platform images",
        mind: "Images of manifest schema 1 (docker older than 1.10) are no longer served. Names of redis settings in registry.env differ. The stored images stay as they are, and hephaestus renders the config for line 3.",
      },
      {
        version: "3.1.0",
        date: "2026-04-06",
        note: "fixes of the pull-through cache (CVE-2026-33540) and of redis (CVE-2026-35172), of which hephaestus uses neither",
      },
      {
        version: "3.1.1",
        date: "2026-05-01",
        note: "a tag is no longer deleted where deletion is off (CVE-2026-41888)",
      },
      { version: "3.1.2", date: "2026-09-24", note: "the newest of line 3" },
    ],
  },
  {
    path: ["gateway", "image"],
    name: "nginx",
    suffix: "-alpine",
    versions: [
      { version: "1.28.0", date: "2025-04-23", note: "stable branch 1.28" },
      { version: "1.28.2", date: "2026-02-04", note: "fix of TLS to upstreams (CVE-2026-1642)" },
      { version: "1.28.3", date: "2026-03-24", note: "the last of branch 1.28" },
      {
        version: "1.30.5",
        date: "2026-09-15",
        note: "stable branch 1.30: fixes of maps with regular expressions, as the gateway has (CVE-2026-42533), and of rewrites (CVE-2026-42945, CVE-2026-9256), which 1.28 lacks",
        mind: "It refuses Host headers and chunked bodies that break the RFCs, which older branches let through.",
      },
    ],
  },
  {
    path: ["ui", "image"],
    name: "docker-registry-ui",
    suffix: "",
    versions: [{ version: "2.6.0", date: "2026-03-06", note: "works with registry 2 and 3" }],
  },
];
