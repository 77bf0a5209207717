import { parseHtpasswd } from "../credentials/htpasswd.js";
import { preflight } from "../deploy/preflight.js";
import { prepareHost } from "../deploy/prepareHost.js";
import { cleanUp, rollOut } from "../deploy/rollout.js";
import { type Docker, interrupted } from "../docker/run.js";
import type { StartDocker } from "../docker/stream.js";
import { ExitCode, OperatorError } from "../errors.js";
import { recordStep } from "../history/recordSteps.js";
import { type DeployContext, runSteps, type Step } from "../operation/context.js";
import type { SecretsChange } from "../operation/secretsChange.js";
import { verify } from "../registry/frontDoorSteps.js";
import { blobPath, type Link, linkPath } from "../storage/layout.js";
import type { StorageAccess } from "../storage/storageContainer.js";
import { requireStorageNode } from "../storage/storageNode.js";
import { StorageReader } from "../storage/storageReader.js";
import { extractToStorage, removeFromStorage } from "../storage/storageWriter.js";
import { bytesText, ProgressMeter, speedText } from "../terminal/progress.js";
import { listed } from "../terminal/table.js";
import { firstChange } from "../users/generations.js";
import { createSecrets } from "../users/secretSteps.js";
import { underLock } from "../users/underLock.js";
import { packEntries, packStream } from "./format/entries.js";
import { type Archive, memberBlobs } from "./format/reader.js";
import { countsOf } from "./format/snapshot.js";
import { proveStorage, storedLinks } from "./storageProof.js";

export interface RestoreRequest {
  archive: Archive;
  /** Whether storage that holds other images may be written to. */
  force: boolean;
  /** Whether everything is read back afterwards. */
  readBack: boolean;
  start: StartDocker;
  cleanupDocker: Docker;
  /** The docker of the node with the storage. */
  storageDocker: Docker;
  signal: AbortSignal;
}

/** What a restore did. */
export interface RestoreReport {
  tags: number;
  images: number;
  blobs: number;
  bytes: number;
  /** What was not there yet. */
  written: { blobs: number; bytes: number; links: number };
  /** Whether the stack was deployed, with the backup's users. */
  deployed: boolean;
  seconds: number;
}

/**
 * Brings back what a backup holds: blobs first, tags last, so that a registry that runs never shows a tag without its blobs.
 * Where the stack has no users yet, it is deployed with those of the backup.
 *
 * @throws OperatorError from the step that failed; the same command continues where it stopped
 */
export async function restoreStack(context: DeployContext, request: RestoreRequest): Promise<RestoreReport> {
  await runSteps([preflight], context);
  const deploys = context.needsCredentials;
  if (deploys) context.change = context.given ? firstChange(context.given) : inheritedChange(request.archive);
  const { config } = await requireStorageNode(context.docker, request.storageDocker, context.config);
  const run = new RestoreRun({ ...context, config }, request);
  const record = recordStep(
    "deploy",
    `restored from a backup of ${request.archive.snapshot.time.toISOString().slice(0, 16)}Z`,
  );
  const deploySteps = [createSecrets, rollOut, record, verify, cleanUp].map((step) =>
    deploys ? step : without(step, "the stack has users; they stay"),
  );
  try {
    await underLock(context, request.cleanupDocker, () =>
      runSteps([prepareHost(request.cleanupDocker), ...run.steps, ...deploySteps], context),
    );
  } catch (error) {
    throw request.signal.aborted ? interrupted() : error;
  } finally {
    await run.close();
  }
  return run.report(deploys);
}

const without = (step: Step, reason: string): Step => ({ ...step, skip: () => reason });

/** The secrets are made from the backup's users, whose passwords nobody has to know. */
function inheritedChange({ htpasswd, snapshot, file }: Archive): SecretsChange | undefined {
  if (!htpasswd) return undefined;
  const dates = snapshot.users.flatMap(({ user, changed }) => (changed ? [[user, changed] as const] : []));
  return {
    people: parseHtpasswd(htpasswd, file),
    changed: [],
    removed: [],
    machines: [],
    newMachines: true,
    dates: new Map(dates),
    origin: "given",
    login: undefined,
    former: undefined,
    previous: undefined,
  };
}

class RestoreRun {
  private readonly began = Date.now();
  private readonly access: StorageAccess;
  private readonly reader: StorageReader;
  private readonly meter: ProgressMeter;
  private readonly missing = new Set<string>();
  private links: Link[] = [];
  private readonly written = { blobs: 0, bytes: 0, links: 0 };

  constructor(
    private readonly context: DeployContext,
    private readonly request: RestoreRequest,
  ) {
    this.access = { config: context.config, ...request };
    this.reader = new StorageReader(this.access, request.signal);
    this.meter = new ProgressMeter(context.reporter);
  }

  readonly steps: readonly Step[] = [
    { id: "storage", title: "Storage", run: () => this.look() },
    { id: "blobs", title: "Blobs", run: () => this.writeBlobs() },
    { id: "links", title: "Tags and images", run: () => this.writeLinks() },
    {
      id: "proof",
      title: "Proof",
      skip: () => (this.request.readBack ? undefined : "not requested (--read-back)"),
      run: () => this.prove(),
    },
  ];

  private async look(): Promise<string> {
    const { config } = this.context;
    const { snapshot } = this.request.archive;
    const there = await storedLinks(this.reader);
    const own = new Map(snapshot.links.map((link) => [linkPath(link), link.digest]));
    // What a restore that was interrupted has written is as the backup has it.
    const foreign = [...there].filter(
      ([path, { kind, digest }]) => (kind === "tag" || kind === "revision") && own.get(path) !== digest,
    );
    if (foreign.length > 0 && !this.request.force) {
      const repositories = [...new Set(foreign.map(([, { repository }]) => repository))];
      throw new OperatorError(
        `contains images that are not in the backup, in ${repositories.slice(0, 3).join(", ")}${repositories.length > 3 ? ` and ${repositories.length - 3} more` : ""}`,
        {
          where: config.registry.storage.path,
          remedy:
            "Use --force to keep them; tags of the backup then get the image of the backup. Or empty the storage: hephaestus destroy --data",
          exitCode: ExitCode.preflight,
        },
      );
    }
    const sizes = await this.reader.blobs();
    await this.reader.close();
    for (const { digest, size } of snapshot.blobs) if (sizes.get(digest) !== size) this.missing.add(digest);
    this.links = snapshot.links.filter((link) => there.get(linkPath(link))?.digest !== link.digest);
    return `${this.missing.size} of ${snapshot.blobs.length} blobs and ${this.links.length} of ${snapshot.links.length} links are missing`;
  }

  private async writeBlobs(): Promise<string> {
    if (this.missing.size === 0) return "all there";
    const { snapshot } = this.request.archive;
    const wanted = snapshot.blobs.filter(({ digest }) => this.missing.has(digest));
    this.meter.begin(wanted.reduce((sum, { size }) => sum + size, 0));
    const under = { way: "" };
    try {
      await extractToStorage(this.access, this.blobEntries(under), this.request.signal);
    } catch (error) {
      // What was written of it has perhaps the right length, and so would be taken for whole.
      if (under.way) await removeFromStorage(this.access, [blobPath(under.way)]).catch(() => undefined);
      throw error;
    }
    const { blobs, bytes } = this.written;
    if (blobs < wanted.length) {
      throw new OperatorError(`lacks ${wanted.length - blobs} blobs that its snapshot names`, {
        where: this.request.archive.file,
        remedy: "Use another copy of it.",
        exitCode: ExitCode.verify,
      });
    }
    return `${blobs} written, ${speedText(bytes, this.meter.state().seconds)}`;
  }

  private async *blobEntries(under: { way: string }): AsyncGenerator<Buffer> {
    const { file, index } = this.request.archive;
    const { meter, missing, written } = this;
    for (const member of index.members) {
      if (!member.blobs?.some(({ digest }) => missing.has(digest))) continue;
      for await (const { digest, size, content } of memberBlobs(file, member, (blob) => missing.has(blob))) {
        under.way = digest;
        const counted = (async function* () {
          for await (const chunk of content) {
            meter.add(chunk.length);
            yield chunk;
          }
        })();
        yield* packStream(entry(blobPath(digest)), size, counted);
        written.blobs++;
        written.bytes += size;
      }
    }
    under.way = "";
  }

  private async writeLinks(): Promise<string> {
    // Each group is written before the next: a tag when its image is there, an image when its layers are.
    const groups: Array<ReadonlyArray<Link["kind"]>> = [["layer"], ["revision"], ["index", "tag"]];
    for (const kinds of groups) {
      const links = this.links.filter(({ kind }) => kinds.includes(kind));
      if (links.length === 0) continue;
      await extractToStorage(this.access, linkEntries(links), this.request.signal);
      this.written.links += links.length;
    }
    return this.written.links === 0 ? "all there" : `${this.written.links} links written`;
  }

  private async prove(): Promise<string> {
    const { snapshot } = this.request.archive;
    const faults = await proveStorage(this.reader, snapshot, this.meter);
    if (faults.length > 0) {
      throw new OperatorError(listed(faults), {
        where: this.context.config.registry.storage.path,
        remedy: "Remove these files, then run the same command again: it writes them again.",
        exitCode: ExitCode.verify,
      });
    }
    const bytes = snapshot.blobs.reduce((sum, { size }) => sum + size, 0);
    return `${snapshot.blobs.length} blobs (${bytesText(bytes)}) and ${snapshot.links.length} links are right`;
  }

  report(deployed: boolean): RestoreReport {
    const { snapshot } = this.request.archive;
    return {
      ...countsOf(snapshot),
      bytes: snapshot.blobs.reduce((sum, { size }) => sum + size, 0),
      written: this.written,
      deployed,
      seconds: (Date.now() - this.began) / 1000,
    };
  }

  close(): Promise<void> {
    return this.reader.close();
  }
}

/** As the registry writes its files; who owns them is who writes. */
const entry = (name: string) => ({ name, mode: 0o600, uid: 0, gid: 0, mtime: new Date() });

async function* linkEntries(links: readonly Link[]): AsyncGenerator<Buffer> {
  for (const link of links) yield await packEntries([{ ...entry(linkPath(link)), content: link.digest }]);
}
