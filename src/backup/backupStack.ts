import { TEMPORARY_USER } from "../access/repositoryRules.js";
import { formatHtpasswd } from "../credentials/htpasswd.js";
import type { Login } from "../credentials/people.js";
import { type Docker, interrupted } from "../docker/run.js";
import { recordEvent } from "../history/recordSteps.js";
import { endLeftReadOnly } from "../maintenance/lease.js";
import { INCOMPLETE } from "../maintenance/maintenanceNote.js";
import { type DeployContext, runSteps, type Step } from "../operation/context.js";
import { withLock } from "../operation/stackLock.js";
import type { Digest } from "../registry/digest.js";
import { RegistryApi } from "../registry/registryApi.js";
import { RegistryClient } from "../registry/registryClient.js";
import { bytesText, ProgressMeter } from "../terminal/progress.js";
import { type People, readPeople } from "../users/listUsers.js";
import { type BackupDirectory, type BackupFacts, backupName } from "./backupDirectory.js";
import { type CollectedImages, collectImages } from "./collectImages.js";
import { type FetchedBlobs, fetchBlobs } from "./fetchBlobs.js";
import { formatIndex } from "./ociLayout.js";
import { lookAtStack, type StackView } from "./stackView.js";
import { bytesOf, countsOf, wholeImages } from "./wholeImages.js";

/** What is backed up, and where to. */
export interface BackupRequest {
  directory: BackupDirectory;
  /** The registry that is read, by its address. */
  url: string;
  /** Who reads it. A stack is read with an account of its own, where there is one. */
  login: Login | undefined;
  /** What writes it: name and version. */
  tool: string;
  signal: AbortSignal;
}

/** The stack whose config and users are in the backup too. */
export interface StackRequest {
  context: DeployContext;
  cleanupDocker: Docker;
  /** The text of hephaestus.yaml. */
  configText: string;
}

/** What a backup holds, and what this run did. */
export interface BackupReport extends BackupFacts {
  /** Its name in the directory. */
  name: string;
  /** What this run read. */
  read: { blobs: number; bytes: number };
  seconds: number;
}

/** Backs up a stack under its lock, and records it. */
export const backupStack = (request: BackupRequest, stack: StackRequest): Promise<BackupReport> =>
  withLock(stack.context.docker, stack.cleanupDocker, stack.context.config.stack, async () => {
    const report = await backupLocked(request, stack);
    await recordEvent(stack.context, "backup", describeBackup(report));
    return report;
  });

/** What a backup holds, for the history. */
export const describeBackup = ({ images, bytes, damage }: BackupFacts): string =>
  `${images} images, ${bytes} bytes${damage.length > 0 ? INCOMPLETE : ""}`;

/**
 * Backs up the config, the users and the images of a stack while it runs. The caller holds the stack's lock: it keeps a
 * garbage collection away, and nothing else removes a blob.
 *
 * @throws OperatorError when it cannot be completed; the same command continues then, and earlier backups stay as they are
 */
export async function backupLocked(request: BackupRequest, stack: StackRequest): Promise<BackupReport> {
  const { context, cleanupDocker, configText } = stack;
  const { config, reporter } = context;
  // What a killed garbage collection left; a backup itself needs no such thing.
  await endLeftReadOnly(context, cleanupDocker);
  let people: People | undefined;
  let view: StackView | undefined;
  const users: Step = {
    id: "users",
    title: "Users",
    async run() {
      people = await readPeople(context);
      if (people) return people.people.map(({ user }) => user).join(", ");
      reporter.note("warning", "The stack has no users, so the backup has no users.");
      return "none there";
    },
  };
  const storage: Step = {
    id: "storage",
    title: "Storage",
    async run() {
      view = await lookAtStack(context, cleanupDocker, request.login);
      return view.said;
    },
  };
  const run = new BackupRun(request, context, {
    stack: config.stack,
    configText,
    people: () => people,
    login: () => view?.login,
    unseen: (seen) => view?.unseen(seen) ?? [],
  });
  return run.all([users, storage]);
}

/**
 * Backs up the images of any registry.
 *
 * @param stack the name that the backup carries
 * @param unseen what is not among the repositories that the registry lists, as far as that is known
 * @throws OperatorError when it cannot be completed; the same command continues then
 */
export function backupImages(
  request: BackupRequest,
  context: DeployContext,
  stack: string,
  unseen: Source["unseen"],
): Promise<BackupReport> {
  const source = {
    stack,
    configText: undefined,
    people: () => undefined,
    login: () => request.login,
    unseen,
  };
  return new BackupRun(request, context, source).all([]);
}

/** What a backup has beside the images. */
interface Source {
  stack: string;
  configText: string | undefined;
  people: () => People | undefined;
  /** Who reads the images. */
  login: () => Login | undefined;
  /**
   * What the backup lacks, as sentences, since the registry does not list it.
   *
   * @param seen the repositories that it lists
   * @throws OperatorError where a registry that lists nothing has something
   */
  unseen: (seen: readonly string[]) => string[];
}

class BackupRun {
  private readonly began = Date.now();
  private readonly meter: ProgressMeter;
  private images: CollectedImages | undefined;
  private fetched: FetchedBlobs = { blobs: 0, bytes: 0, damage: [] };
  private sizes = new Map<Digest, number>();
  private unseen: string[] = [];
  private facts: BackupFacts | undefined;

  constructor(
    private readonly request: BackupRequest,
    private readonly context: DeployContext,
    private readonly source: Source,
  ) {
    this.meter = new ProgressMeter(context.reporter);
  }

  async all(before: readonly Step[]): Promise<BackupReport> {
    const steps: Step[] = [
      ...before,
      { id: "images", title: "Tags and images", run: () => this.collect() },
      { id: "blobs", title: "Blobs", run: () => this.fetch() },
      { id: "index", title: "Index", run: () => this.finish() },
    ];
    try {
      await runSteps(steps, this.context);
    } catch (error) {
      throw this.request.signal.aborted ? interrupted() : error;
    }
    const facts = this.facts as BackupFacts;
    return {
      ...facts,
      name: backupName(new Date(facts.time)),
      read: { blobs: this.fetched.blobs, bytes: this.fetched.bytes },
      seconds: (Date.now() - this.began) / 1000,
    };
  }

  private get api(): RegistryApi {
    const { url, signal } = this.request;
    return new RegistryApi(new RegistryClient(url, this.source.login(), signal));
  }

  private async collect(): Promise<string> {
    const { api } = this;
    this.unseen = this.source.unseen(await api.repositories());
    const { blobs } = this.request.directory;
    this.images = await collectImages(api, blobs, (name) => this.context.reporter.progress(name));
    return `${this.images.named.filter(({ tag }) => tag !== undefined).length} tags, ${this.images.references.size} images`;
  }

  private async fetch(): Promise<string> {
    const { directory, signal } = this.request;
    const wanted = [...(this.images?.blobs.values() ?? [])];
    this.sizes = await directory.blobs.all();
    // A manifest that does not say how large a blob is leaves that to its digest, which was right when it was written.
    const missing = wanted.filter(({ digest, size }) => {
      const held = this.sizes.get(digest);
      return held === undefined || (size !== undefined && held !== size);
    });
    this.fetched = await fetchBlobs(this.api, directory.blobs, missing, this.meter, signal);
    for (const { digest } of missing) {
      const size = await directory.blobs.sizeOf(digest);
      if (size === undefined) this.sizes.delete(digest);
      else this.sizes.set(digest, size);
    }
    const { blobs, bytes } = this.fetched;
    return `${blobs} read (${bytesText(bytes)}), ${wanted.length - missing.length} there already`;
  }

  private async finish(): Promise<string> {
    const { named, references, damage } = this.images as CollectedImages;
    const { directory, tool } = this.request;
    const whole = wholeImages({ named, references, blobs: this.sizes });
    const people = this.source.people();
    const users = (people?.people ?? []).filter(({ user }) => user !== TEMPORARY_USER);
    this.facts = {
      stack: this.source.stack,
      time: new Date().toISOString(),
      tool,
      ...countsOf(whole),
      bytes: bytesOf(whole, this.sizes),
      users: users.map(({ user }) => {
        const changed = people?.changed.get(user)?.toISOString();
        return changed === undefined ? { user } : { user, changed };
      }),
      damage: [...new Set([...this.unseen, ...damage, ...this.fetched.damage, ...whole.damage])],
    };
    const htpasswd = people && formatHtpasswd(users);
    await directory.add(this.facts, formatIndex(whole.named), this.source.configText, htpasswd);
    await directory.blobs.removePartial();
    return `${this.facts.images} images, ${bytesText(this.facts.bytes)}`;
  }
}
