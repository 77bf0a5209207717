import type { Generations } from "../credentials/secretKinds.js";
import type { ChangedUsers } from "../credentials/userChanges.js";
import type { Login } from "../credentials/userLogin.js";
import type { NewSecret } from "../swarm/secrets.js";
import type { UserSecrets } from "./generations.js";

/**
 * What becomes of the secrets of a stack. Preflight makes it, before anything is changed, from what the Swarm
 * has then.
 */
export interface SecretsPlan extends UserSecrets {
  /** The generations that the services will use. */
  readonly generations: Generations;
  /** What the new generation of the htpasswd has; undefined if the one that is there is kept. */
  readonly change: ChangedUsers | undefined;
  /** What is new about the accounts, in words; empty if nothing is. */
  readonly note: string;
  /** A login that has to work afterwards; undefined if none is known. */
  readonly login: Login | undefined;
  /**
   * New secrets of users and machine accounts, in the order in which they are written: the htpasswd is the
   * last.
   */
  readonly accounts: readonly NewSecret[];
  /** New secrets that the operator gave. */
  readonly given: readonly NewSecret[];
  /**
   * Whether a password has to be asked for or generated: there is none yet, or the generated one was never
   * shown.
   */
  readonly needsCredentials: boolean;
}
