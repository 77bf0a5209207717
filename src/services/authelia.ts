import type { Config } from "../config/resolve.js";

/**
 * Headers that Authelia's ForwardAuth answer hands on. Source: Authelia's documentation, "Traefik"
 * integration.
 */
export const AUTHELIA_RESPONSE_HEADERS = [
  "Remote-User",
  "Remote-Groups",
  "Remote-Email",
  "Remote-Name",
] as const;

/** A rule of Authelia's access_control; the first that matches decides. */
export interface AccessRule {
  domain: string;
  policy: "bypass" | "one_factor" | "two_factor";
}

/**
 * The rules for the hosts that Authelia is asked about. The registry's own host bypasses Authelia: clients
 * send Basic and Bearer credentials of the registry, which Authelia would take for its own users' and refuse.
 * Where the gateway asks Authelia about users, one factor is all that a client can send (HTTP Basic).
 */
export function accessRules(config: Config): AccessRule[] {
  const policy = config.users.provider === "htpasswd" ? "bypass" : "one_factor";
  const rules: AccessRule[] = [{ domain: config.registry.host, policy }];
  if (config.expose === "ports") return rules;
  if (config.ui.enabled) {
    rules.push({ domain: config.ui.host, policy: config.ui.access === "sso" ? "one_factor" : "bypass" });
  }
  if (config.ui.admin.enabled) rules.push({ domain: config.ui.admin.host, policy: "two_factor" });
  return rules;
}
