import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { PASSWORD, USER } from "../stack.js";
import type { Run, Workspace } from "../workspace.js";
import { type Image, TAG } from "./images.js";
import type { Release } from "./release.js";

/** Somebody without a login, the user, somebody with the user's name and a wrong password, and two more users, of whom one has ended. */
export type Who = "nobody" | "smith" | "impostor" | "guest" | "old";

export const PASSWORDS: Record<Exclude<Who, "nobody">, string> = {
  smith: PASSWORD,
  impostor: "not-the-anvil",
  guest: "Horseshoe-and-nail-3",
  old: "Rust-and-dust-1",
};

/** The name that somebody logs in with. */
export const userOf = (who: Exclude<Who, "nobody">): string => (who === "impostor" ? USER : who);

export function userAndPassword(who: Exclude<Who, "nobody">): string {
  return `${userOf(who)}:${PASSWORDS[who]}`;
}

const AT_ONCE_MS = 2000;

/**
 * Runs what must be refused within 2 seconds. What took longer is run again: a client that waits before it gives up always takes
 * longer, one that waited for a busy machine does not.
 */
export async function atOnce(work: () => Promise<Run>): Promise<Run> {
  const took: number[] = [];
  while (took.length < 5) {
    const started = performance.now();
    const run = await work();
    const milliseconds = performance.now() - started;
    if (milliseconds < AT_ONCE_MS) return run;
    took.push(milliseconds);
  }
  throw new Error(`It took ${took.map(Math.round).join(", ")} ms until this was refused.`);
}

const SECONDS = 110;
/** For a shell in a mount namespace of its own; $0 is the folder. */
const BIND = 'dir=/var/lib/containers/cache; mkdir -p $dir; mount --bind "$0" $dir; exec "$@"';

/**
 * What a column of the matrix can do. A `name` is a repository with `:tag` or `@digest`, without the registry. A way that
 * a client has no command for throws; the table of the test knows which ones those are.
 */
export abstract class Client {
  /** The heading of its column. */
  readonly title: string;

  constructor(
    readonly program: string,
    protected readonly workspace: Workspace,
    protected readonly release: Release,
  ) {
    this.title = `${program}${release.suffix}`;
    mkdirSync(this.folder, { recursive: true });
  }

  /** Everything that the client keeps goes there. */
  protected get folder(): string {
    return `${this.workspace.folder}/${this.title}`;
  }

  protected at(name: string): string {
    return `${this.workspace.registry}/${name}`;
  }

  /** A config folder of Docker's, with the logins of one person. */
  protected configOf(who: string): string {
    const config = `${this.folder}/${who}`;
    mkdirSync(config, { recursive: true });
    return config;
  }

  /** The file with the logins of one person: all clients read Docker's. */
  protected logins(who: Who): string {
    const file = `${this.configOf(who)}/config.json`;
    if (!existsSync(file)) writeFileSync(file, "{}", { mode: 0o600 });
    return file;
  }

  /** Keeps a login without trying it, as if it had been right once. */
  keepLogin(who: Exclude<Who, "nobody">): void {
    const auth = Buffer.from(userAndPassword(who)).toString("base64");
    writeFileSync(this.logins(who), JSON.stringify({ auths: { [this.workspace.registry]: { auth } } }));
  }

  /** Runs a program, but not for ever. */
  protected run(command: string, args: readonly string[], input = ""): Promise<Run> {
    const limited = [String(SECONDS), ...this.release.enter, command, ...args];
    return this.workspace.run("timeout", limited, { input });
  }

  /**
   * Runs podman, buildah or skopeo. Their library remembers in /var/lib/containers/cache which registry has which blob; here
   * that is a folder of the client's own.
   */
  protected runApart(command: string, args: readonly string[], input = ""): Promise<Run> {
    const cache = `${this.folder}/cache`;
    mkdirSync(cache, { recursive: true });
    return this.run("unshare", ["--mount", "sh", "-ec", BIND, cache, command, ...args], input);
  }

  /** For what has to succeed before the matrix can go on. */
  protected async must(work: Promise<Run>): Promise<Run> {
    const run = await work;
    if (run.exitCode !== 0) throw new Error(run.all);
    return run;
  }

  /** Puts an image into the client's own store, from which it can push. */
  async load(_image: Image): Promise<void> {}

  push(_who: Who, _image: Image, _name: string): Promise<Run> {
    throw this.unable("push");
  }

  /** Pulls what the client does not have, or no longer. */
  pull(_who: Who, _name: string): Promise<Run> {
    throw this.unable("pull");
  }

  /** Pushes an index with both platforms. */
  pushIndex(_who: Who, _name: string): Promise<Run> {
    throw this.unable("pushIndex");
  }

  /** Pulls an index, with both platforms if the client can. */
  pullIndex(_who: Who, _name: string): Promise<Run> {
    throw this.unable("pullIndex");
  }

  /** Pushes an image whose layers the registry has in the repository `from`. */
  async mount(who: Who, image: Image, from: string, name: string): Promise<Run> {
    const pull = await this.pull(who, `${from}:${TAG}`);
    return pull.exitCode === 0 ? this.push(who, image, name) : pull;
  }

  login(_who: Exclude<Who, "nobody">): Promise<Run> {
    throw this.unable("login");
  }

  tags(_who: Who, _repository: string): Promise<Run> {
    throw this.unable("tags");
  }

  catalog(_who: Who): Promise<Run> {
    throw this.unable("catalog");
  }

  /** Shows a manifest without pulling the image. */
  inspect(_who: Who, _name: string): Promise<Run> {
    throw this.unable("inspect");
  }

  /** Attaches something to an image and asks for it again. */
  refer(_who: Who, _name: string): Promise<Run> {
    throw this.unable("refer");
  }

  remove(_who: Who, _name: string): Promise<Run> {
    throw this.unable("remove");
  }

  /** Builds an image with attestations and pushes it. The cache of its steps goes to the repository given, and comes from there. */
  build(_who: Who, _name: string, _cache: string): Promise<Run> {
    throw this.unable("build");
  }

  sign(_who: Who, _name: string): Promise<Run> {
    throw this.unable("sign");
  }

  verify(_who: Who, _name: string): Promise<Run> {
    throw this.unable("verify");
  }

  /** Removes what lies outside of the workspace's folder. */
  async cleanUp(): Promise<void> {}

  private unable(what: string): Error {
    return new Error(`${this.title} has no command for this: ${what}`);
  }
}
