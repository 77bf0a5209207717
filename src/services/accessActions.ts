/** What a request to the gateway is: a pull, a push, and so on. */
export const ACTIONS = ["pull", "push", "delete", "list", "login"] as const;
export type Action = (typeof ACTIONS)[number];

/**
 * Patterns of "METHOD path", in the order in which they count, for the gateway's log and for who reads it. A repository
 * may have a component such as `blobs`, so what follows it is one component to the end. Source: OCI distribution
 * specification 1.1, endpoints.
 */
export const ACTION_PATTERNS: readonly { pattern: string; action: Action }[] = [
  { pattern: "^[A-Z]+ /v2/.+/blobs/uploads/[^/]*$", action: "push" },
  { pattern: "^DELETE /v2/.+/(?:manifests|blobs)/[^/]+$", action: "delete" },
  { pattern: "^(?:GET|HEAD) /v2/.+/(?:manifests|blobs)/[^/]+$", action: "pull" },
  { pattern: "^PUT /v2/.+/manifests/[^/]+$", action: "push" },
  { pattern: "^(?:GET|HEAD) /v2/(?:_catalog|.+/tags/list|.+/referrers/[^/]+)$", action: "list" },
  { pattern: "^[A-Z]+ /(?:v2/|auth/(?:token|anonymous|public))$", action: "login" },
];

/** The pattern of a path that names a repository. */
export const REPOSITORY_PATTERN =
  "^/v2/(?<repository>.+)/(?:manifests/[^/]+|blobs/uploads/[^/]*|blobs/[^/]+|tags/list|referrers/[^/]+)$";
