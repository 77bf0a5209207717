import { formatHtpasswd } from "../credentials/htpasswd.js";
import { type Docker, interrupted } from "../docker/run.js";
import type { StartDocker } from "../docker/stream.js";
import { recordEvent } from "../history/recordSteps.js";
import { endLeftReadOnly } from "../maintenance/lease.js";
import { type DeployContext, runSteps, type Step } from "../operation/context.js";
import { withLock } from "../operation/stackLock.js";
import { parseReferences, type References } from "../registry/references.js";
import type { Link } from "../storage/layout.js";
import { requireStorageNode } from "../storage/storageNode.js";
import { StorageReader } from "../storage/storageReader.js";
import { bytesText, ProgressMeter } from "../terminal/progress.js";
import { type People, readPeople } from "../users/listUsers.js";
import { type Intake, takeBlobs } from "./blobIntake.js";
import { consistent } from "./consistency.js";
import { collect } from "./format/member.js";
import { openArchive } from "./format/reader.js";
import type { Snapshot } from "./format/snapshot.js";
import { ArchiveWriter } from "./format/writer.js";

export interface BackupRequest {
  file: string;
  /** The text of hephaestus.yaml. */
  configText: string;
  /** What writes it: name and version. */
  tool: string;
  start: StartDocker;
  cleanupDocker: Docker;
  /** The docker of the node with the storage. */
  storageDocker: Docker;
  signal: AbortSignal;
}

/** What a backup holds, and what this run did. */
export interface BackupReport {
  tags: number;
  images: number;
  blobs: number;
  /** Of all blobs. */
  bytes: number;
  /** Blobs that this run read, and their bytes. */
  read: { blobs: number; bytes: number };
  resumed: { blobs: number; bytes: number };
  /** Bytes of the file, and how many of them this run wrote. */
  fileBytes: number;
  written: number;
  seconds: number;
  /** What is damaged in the storage, as sentences; it is left out of the backup. */
  damage: string[];
}

/**
 * Backs up config, users and images into a file while the registry runs. Links are read before blobs: the registry writes a
 * blob before the link that names it, and nothing but a garbage collection, which the lock keeps away, removes one.
 *
 * @throws OperatorError when it cannot be completed; the file can then be resumed, and what it held before counts
 */
export async function backupStack(context: DeployContext, request: BackupRequest): Promise<BackupReport> {
  const { config, docker } = context;
  const { cleanupDocker } = request;
  return withLock(docker, cleanupDocker, config.stack, async () => {
    // What a killed garbage collection left; a backup itself needs no such thing.
    await endLeftReadOnly(context, cleanupDocker);
    const storage = await requireStorageNode(docker, request.storageDocker, config);
    const run = new BackupRun({ ...context, config: storage.config }, request, storage.hostname);
    try {
      await runSteps(run.steps, context);
      const report = run.report();
      await recordEvent(context, "backup", `${report.images} images, ${report.bytes} bytes`);
      return report;
    } catch (error) {
      throw request.signal.aborted ? interrupted() : error;
    } finally {
      await run.close();
    }
  });
}

class BackupRun {
  private readonly began = Date.now();
  private readonly reader: StorageReader;
  private readonly meter: ProgressMeter;
  private writer: ArchiveWriter | undefined;
  private lengthBefore = 0;
  private people: People | undefined;
  private links: Link[] = [];
  private sizes = new Map<string, number>();
  private references = new Map<string, References>();
  private readonly damage: string[] = [];
  private intake: Intake | undefined;
  private snapshot: Snapshot | undefined;

  constructor(
    private readonly context: DeployContext,
    private readonly request: BackupRequest,
    /** Name of the node with the storage. */
    private readonly node: string,
  ) {
    const { config, reporter } = context;
    this.reader = new StorageReader({ config, ...request }, request.signal);
    this.meter = new ProgressMeter(reporter);
  }

  readonly steps: readonly Step[] = [
    { id: "storage", title: "Storage", run: () => this.open() },
    { id: "users", title: "Users", run: () => this.readUsers() },
    { id: "links", title: "Tags and images", run: () => this.readLinks() },
    { id: "blobs", title: "Blobs", run: () => this.readBlobs() },
    { id: "snapshot", title: "Snapshot", run: () => this.finish() },
  ];

  private async open(): Promise<string> {
    const { config } = this.context;
    const { file } = this.request;
    const [uid = 0, gid = 0] = config.registry.user.split(":").map(Number);
    this.writer = await ArchiveWriter.open(file, config.stack, { uid, gid });
    this.lengthBefore = this.writer.length;
    if (this.writer.isIncremental) this.references = (await openArchive(file)).snapshot.references;
    const { resumed, isIncremental } = this.writer;
    const parts = [
      `${config.registry.storage.path} on ${this.node}`,
      ...(isIncremental ? ["adding to the existing backup"] : []),
      ...(resumed.blobs > 0
        ? [`resuming: ${resumed.blobs} blobs (${bytesText(resumed.bytes)}) are there already`]
        : []),
    ];
    return parts.join(", ");
  }

  private async readUsers(): Promise<string> {
    this.people = await readPeople(this.context);
    if (this.people) return this.people.people.map(({ user }) => user).join(", ");
    this.context.reporter.note("warning", "The stack has no users, so the backup has no users.");
    return "none there";
  }

  private async readLinks(): Promise<string> {
    for (const pass of ["tags", "revisions", "layers"] as const) {
      const { links, odd } = await this.reader.links(pass);
      this.links.push(...links);
      this.damage.push(...odd.map((path) => `${path} contains no digest, or a wrong one`));
    }
    this.sizes = await this.reader.blobs();
    return `${this.count("tag")} tags, ${this.count("revision")} images`;
  }

  private async readBlobs(): Promise<string> {
    const writer = this.writer as ArchiveWriter;
    const manifests = new Set(
      this.links.filter(({ kind }) => kind === "revision").map(({ digest }) => digest),
    );
    const named = [...new Set(this.links.map(({ digest }) => digest))].sort();
    for (const digest of named) {
      const [held, size] = [writer.sizeOf(digest), this.sizes.get(digest)];
      if (held !== undefined && size !== undefined && held !== size)
        this.damage.push(`${digest} has ${size} bytes now; the backup has all ${held}`);
    }
    const wanted = named.flatMap((digest) => {
      const size = this.sizes.get(digest);
      return size === undefined || writer.has(digest) ? [] : [{ digest, size }];
    });
    const { signal } = this.request;
    this.intake = await takeBlobs(this.reader, writer, wanted, manifests, this.meter, signal);
    this.damage.push(...this.intake.damage);
    for (const [digest, references] of this.intake.references) this.references.set(digest, references);
    // Of a run that was interrupted.
    const unknown = new Set([...manifests].filter((digest) => !this.references.has(digest)));
    for await (const { digest, content } of writer.read((held) => unknown.has(held))) {
      const references = parseReferences(await collect(content));
      if (references) this.references.set(digest, references);
    }
    const held = named.filter((digest) => writer.has(digest)).length;
    const { blobs, bytes } = this.intake.read;
    return `${blobs} read (${bytesText(bytes)}), the backup has ${held} of ${named.length}`;
  }

  private async finish(): Promise<string> {
    const writer = this.writer as ArchiveWriter;
    const { config } = this.context;
    const { references } = this;
    const { links, damage } = consistent({ links: this.links, blobs: writer, references });
    this.damage.push(...damage);
    const images = new Set(links.filter(({ kind }) => kind === "revision").map(({ digest }) => digest));
    const needed = new Set([...images].flatMap((digest) => references.get(digest)?.blobs ?? []));
    for (const digest of [...images, ...needed]) {
      if (!this.sizes.has(digest))
        this.damage.push(`${digest} is missing in the storage; the backup has it from an earlier run`);
    }
    // Links that a garbage collection has left without their blob, and that no image needs.
    this.links = links.filter(
      ({ kind, digest }) => kind !== "layer" || this.sizes.has(digest) || needed.has(digest),
    );
    const digests = [...new Set(this.links.map(({ digest }) => digest))].sort();
    this.snapshot = {
      stack: config.stack,
      time: new Date(),
      tool: this.request.tool,
      links: this.links,
      blobs: digests.map((digest) => ({ digest, size: writer.sizeOf(digest) ?? 0 })),
      references: new Map([...images].flatMap((digest) => entryOf(references, digest))),
      users: (this.people?.people ?? []).map(({ user }) => ({
        user,
        changed: this.people?.changed.get(user),
      })),
      damage: this.damage,
    };
    const htpasswd = this.people && formatHtpasswd(this.people.people);
    await writer.finish(this.snapshot, this.request.configText, htpasswd);
    return `${bytesText(writer.length - this.lengthBefore)} written, the file has ${bytesText(writer.length)}`;
  }

  report(): BackupReport {
    const { snapshot, writer } = this;
    if (!snapshot || !writer) throw new Error("report() comes after finish().");
    return {
      tags: this.count("tag"),
      images: this.count("revision"),
      blobs: snapshot.blobs.length,
      bytes: snapshot.blobs.reduce((sum, { size }) => sum + size, 0),
      read: this.intake?.read ?? { blobs: 0, bytes: 0 },
      resumed: writer.resumed,
      fileBytes: writer.length,
      written: writer.length - this.lengthBefore,
      seconds: (Date.now() - this.began) / 1000,
      damage: this.damage,
    };
  }

  async close(): Promise<void> {
    await this.reader.close();
    await this.writer?.close();
  }

  private count(kind: Link["kind"]): number {
    return this.links.filter((link) => link.kind === kind).length;
  }
}

function entryOf<V>(map: ReadonlyMap<string, V>, key: string): Array<[string, V]> {
  const value = map.get(key);
  return value === undefined ? [] : [[key, value]];
}
