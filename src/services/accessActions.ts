/** What a request to the gateway is: a pull, a push, and so on. */
export const ACTIONS = ["pull", "push", "delete", "list", "login"] as const;
export type Action = (typeof ACTIONS)[number];

/**
 * Patterns of "METHOD path", in the order in which they count. A repository may have a component such as
 * `blobs`, so what follows it is one component to the end. Source: OCI distribution specification 1.1,
 * endpoints.
 */
const ACTION_PATTERNS: readonly [pattern: RegExp, action: Action][] = [
  [/^[A-Z]+ \/v2\/.+\/blobs\/uploads\/[^/]*$/, "push"],
  [/^DELETE \/v2\/.+\/(?:manifests|blobs)\/[^/]+$/, "delete"],
  [/^(?:GET|HEAD) \/v2\/.+\/(?:manifests|blobs)\/[^/]+$/, "pull"],
  [/^PUT \/v2\/.+\/manifests\/[^/]+$/, "push"],
  [/^(?:GET|HEAD) \/v2\/(?:_catalog|.+\/tags\/list|.+\/referrers\/[^/]+)$/, "list"],
  // The last two stand in logs of older versions.
  [/^[A-Z]+ \/(?:v2\/|auth\/(?:token|anonymous|public))$/, "login"],
];

const REPOSITORY =
  /^\/v2\/(.+)\/(?:manifests\/[^/]+|blobs\/uploads\/[^/]*|blobs\/[^/]+|tags\/list|referrers\/[^/]+)$/;

/** What a request is, for the gateway's log and for who reads it; undefined for anything else. */
export const actionOf = (method: string, path: string): Action | undefined =>
  ACTION_PATTERNS.find(([pattern]) => pattern.test(`${method} ${path}`))?.[1];

/** The repository that a path names, for the same. */
export const repositoryIn = (path: string): string | undefined => REPOSITORY.exec(path)?.[1];
