import type { Config } from "../config/resolve.js";
import type { HtpasswdEntry } from "../credentials/htpasswd.js";
import type { Secret } from "../credentials/secret.js";
import type { RenderedFile } from "../render/files.js";
import type { Docker } from "../swarm/docker.js";
import type { PasswordOrigin } from "../swarm/secrets.js";
import type { ResolveImage } from "../swarm/stack.js";
import type { Reporter } from "../terminal/reporter.js";

/** A password with the htpasswd that it opens. */
export interface Credentials {
  user: string;
  password: Secret;
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

/** What the steps of a deploy share. A step reads what earlier ones found out. */
export interface DeployContext {
  readonly config: Config;
  readonly files: readonly RenderedFile[];
  readonly docker: Docker;
  readonly reporter: Reporter;
  readonly options: DeployOptions;
  /** Credentials from the environment or standard input, checked already. */
  readonly given: Credentials | undefined;
  /** Asks for or generates credentials; undefined where there is nobody to ask and nothing was said. */
  readonly obtain: (() => Promise<Credentials>) | undefined;
  /** The node to prepare, user@host or undefined for this machine. */
  host: string | undefined;
  /** Set by preflight when a new generation of secrets is needed. */
  needsCredentials: boolean;
  /** What a new generation is made from. */
  credentials: Credentials | undefined;
  /** The generation that the services shall use. */
  generation: number;
}

/** One step of a deploy, or of a rotation. */
export interface Step {
  id: string;
  title: string;
  /** A reason why there is nothing to do, undefined when there is. */
  skip?(context: DeployContext): Promise<string | undefined> | string | undefined;
  /** Does it, idempotently, and says in a few words what came of it. */
  run(context: DeployContext): Promise<string>;
}

/** Runs steps in order; the first that fails ends it. */
export async function runSteps(steps: readonly Step[], context: DeployContext): Promise<void> {
  const { reporter } = context;
  for (const step of steps) {
    const reason = await step.skip?.(context);
    reporter.begin(step.id, step.title);
    if (reason !== undefined) {
      reporter.end("skipped", reason);
      continue;
    }
    try {
      reporter.end("done", await step.run(context));
    } catch (error) {
      reporter.end("failed", error instanceof Error ? error.message : String(error));
      throw error;
    }
  }
}
