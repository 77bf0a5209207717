import type { Generations } from "../credentials/secretKinds.js";
import type { ChangedUsers } from "../credentials/userChanges.js";
import type { Login } from "../credentials/userLogin.js";
import type { NewSecret } from "../docker/swarmSecrets.js";
import type { StackSecrets } from "./generations.js";

/** What becomes of the secrets of a stack. Preflight makes it, before anything is changed. */
export interface SecretsPlan {
  /** What the Swarm had then. */
  readonly found: StackSecrets;
  /** The generation of the htpasswd that it starts from; undefined if the stack has no users yet. */
  readonly previous: number | undefined;
  /** Users of that generation whose generated passwords nobody was shown, as far as the Swarm can tell. */
  readonly unseen: readonly string[];
  /** Names of the users in the Swarm, as far as labels show them. */
  readonly users: readonly string[];
  /** The generations that the services will use. */
  readonly generations: Generations;
  /** What the new generation of the htpasswd has; undefined if the one that is there is kept. */
  readonly change: ChangedUsers | undefined;
  /** What is new about the accounts, in words; empty if nothing is. */
  readonly note: string;
  /** A login that has to work afterwards; undefined if none is known. */
  readonly login: Login | undefined;
  /** New secrets of users and machine accounts, in the order in which they are written: the htpasswd is the last. */
  readonly accounts: readonly NewSecret[];
  /** New secrets that the operator gave. */
  readonly given: readonly NewSecret[];
  /** Whether a password has to be asked for or generated: there is none yet, or the generated one was never shown. */
  readonly needsCredentials: boolean;
}
