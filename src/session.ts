import type { Config } from "./config/resolve.js";
import type { Dockers } from "./docker/run.js";
import type { RenderedFile } from "./render/renderedFile.js";
import type { Reporter } from "./terminal/reporter.js";

/** When docker asks the registry of an image for its digest. */
export type ResolveImage = "always" | "changed" | "never";

/** What a person typed, for every command that works on a stack. */
export interface SessionOptions {
  /** Folder of the compose file. */
  readonly folder: string;
  readonly timeoutSeconds: number;
  readonly wait: boolean;
  readonly verify: boolean;
  readonly dryRun: boolean;
  readonly resolveImage: ResolveImage;
  /** user@host of the node that holds the storage; undefined means where Docker is. */
  readonly host: string | undefined;
  readonly hostSetup: boolean;
}

/** What a command works with. Nothing in it changes; what a step finds out, it returns. */
export interface Session extends Dockers {
  readonly config: Config;
  /** What the config renders to. */
  readonly files: readonly RenderedFile[];
  /** Aborts on an interruption. */
  readonly signal: AbortSignal;
  readonly reporter: Reporter;
  /**
   * Variables of this process. What is in them is read when it is needed, so that no command fails on what it
   * does not use.
   */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly options: SessionOptions;
}

/** The same session after an interruption: its docker and its requests still work. */
export const uninterruptible = (session: Session): Session => ({
  ...session,
  docker: session.cleanupDocker,
  signal: new AbortController().signal,
});
