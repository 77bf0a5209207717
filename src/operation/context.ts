import type { Config } from "../config/resolve.js";
import type { GenerationState } from "../credentials/generationState.js";
import type { HtpasswdEntry } from "../credentials/htpasswd.js";
import type { Login } from "../credentials/people.js";
import type { Secret } from "../credentials/secret.js";
import type { Generations, GivenSecret } from "../credentials/secretKinds.js";
import type { StorageKeys } from "../credentials/storageKeys.js";
import type { Docker } from "../docker/run.js";
import type { PasswordOrigin } from "../docker/swarmSecrets.js";
import type { RenderedFile } from "../render/renderedFile.js";
import { inStep } from "../terminal/inStep.js";
import type { Reporter } from "../terminal/reporter.js";
import type { PeopleRequest, SecretsChange } from "./secretsChange.js";
import type { ResolveImage } from "./stackUpdate.js";
import type { NamedNode } from "./swarmFacts.js";

/** A password with the htpasswd that it opens. */
export interface Credentials extends Login {
  people: HtpasswdEntry[];
  origin: PasswordOrigin;
}

export interface DeployOptions {
  /** Folder of the compose file. */
  folder: string;
  timeoutSeconds: number;
  wait: boolean;
  verify: boolean;
  dryRun: boolean;
  resolveImage: ResolveImage;
  /** user@host of the node that holds the storage; undefined means where Docker is. */
  host: string | undefined;
  hostSetup: boolean;
}

/** State that the steps of an operation share. A step uses the results of earlier steps. */
export interface DeployContext {
  readonly config: Config;
  readonly files: readonly RenderedFile[];
  readonly docker: Docker;
  /** Aborts on an interruption. */
  readonly signal?: AbortSignal | undefined;
  readonly reporter: Reporter;
  readonly options: DeployOptions;
  /** Credentials from the environment or standard input, checked already. */
  readonly given: Credentials | undefined;
  /** Reads the keys of an S3 storage from the environment; only who creates secrets has to have good ones. */
  readonly storageKeys: () => StorageKeys | undefined;
  /** Reads a secret that the environment has as it is. */
  readonly givenSecret: (kind: GivenSecret) => Secret | undefined;
  /** Asks for credentials or generates them; undefined without a terminal and without a flag for it. */
  readonly obtain: (() => Promise<Credentials>) | undefined;
  /** Whether a stack without users gets the users of a backup. */
  readonly inheritsUsers?: boolean;
  /** The change of users that a rotation makes; undefined for a deploy. */
  readonly request: PeopleRequest | undefined;
  /** The node to prepare, user@host or undefined for this machine. */
  host: string | undefined;
  /** The node to prepare by a Swarm job, where it is neither this machine nor one that ssh reaches. */
  storageHost?: NamedNode | undefined;
  /** What preflight found in the Swarm. */
  state: GenerationState | undefined;
  /** Set by preflight if a password is needed: there is none yet, or the generated one was never shown. */
  needsCredentials: boolean;
  /** Names of the users in the Swarm, as far as labels show them. */
  users: readonly string[];
  /** The generations that the services will use. */
  generations: Generations;
  /** The content of new generations; undefined if the existing ones are kept. */
  change: SecretsChange | undefined;
}

/** One step of a deploy, or of a rotation. */
export interface Step {
  id: string;
  title: string;
  /** Whether a stack of that config has this step; all have it by default. */
  appliesTo?(config: Config): boolean;
  /** Why there is nothing to do; undefined if there is something to do. */
  skip?(context: DeployContext): Promise<string | undefined> | string | undefined;
  /** Runs the step, idempotently, and returns a short result for the report. */
  run(context: DeployContext): Promise<string>;
}

/** Runs steps in order and stops at the first failure. */
export async function runSteps(steps: readonly Step[], context: DeployContext): Promise<void> {
  const { reporter } = context;
  for (const step of steps.filter(({ appliesTo }) => appliesTo?.(context.config) ?? true)) {
    const reason = await step.skip?.(context);
    if (reason !== undefined) {
      reporter.begin(step.id, step.title);
      reporter.end("skipped", reason);
      continue;
    }
    await inStep(
      reporter,
      step,
      () => step.run(context),
      (message) => message,
    );
  }
}
