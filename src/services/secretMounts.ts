import { FAMILIES, familyOf, type SecretKind, secretName } from "../credentials/secretKinds.js";
import { type ExternalSecret, FileMode, Interpolated, type SecretMount } from "./composeModel.js";

/**
 * The compose file's entry for a secret that deploy created; a bare `docker stack deploy` means generation 1.
 */
export function externalSecret(stack: string, kind: SecretKind): ExternalSecret {
  const { variable } = FAMILIES[familyOf(kind)];
  if (variable === undefined) return { external: true, name: secretName(stack, kind, 1) };
  return { external: true, name: new Interpolated(secretName(stack, kind, `\${${variable}:-1}`)) };
}

/** A mount that only the given user and group (by number, UID:GID) can read. */
export function secretMount(kind: SecretKind, target: string, user: string): SecretMount {
  const [uid = "0", gid = "0"] = user.split(":");
  return { source: kind, target, uid, gid, mode: new FileMode(0o400) };
}
