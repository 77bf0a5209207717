import { mkdir, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { Secret } from "../credentials/secret.js";
import { ExitCode, OperatorError } from "../errors.js";
import { absentAs, writeFiles } from "../host/files.js";
import { parseJson } from "../json.js";
import { BlobFiles, unusable, writing } from "./blobFiles.js";
import { INDEX_FILE, LAYOUT, LAYOUT_FILE, type ParsedIndex, parseIndex } from "./ociLayout.js";

/** Backups of earlier runs and of the newest one, a folder each, beside the files of the layout. */
const BACKUPS = "backups";
const REPORT_FILE = "backup.json";
const CONFIG_FILE = "hephaestus.yaml";
const HTPASSWD_FILE = "htpasswd";
const TIME = /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z$/;

/** What a backup says about itself. */
export interface BackupFacts {
  stack: string;
  /** ISO 8601. */
  time: string;
  /** The program that wrote it. */
  tool: string;
  tags: number;
  images: number;
  blobs: number;
  bytes: number;
  /** When each user's password last changed, where that is known. */
  users: Array<{ user: string; changed?: string }>;
  /** What was missing or wrong, as sentences; it is left out. */
  damage: string[];
}

const dateText = z.string().refine((text) => !Number.isNaN(Date.parse(text)), "is no date");
const count = z.int().min(0);
const factsSchema: z.ZodType<BackupFacts> = z.looseObject({
  stack: z.string(),
  time: dateText,
  tool: z.string(),
  tags: count,
  images: count,
  blobs: count,
  bytes: count,
  users: z.array(z.object({ user: z.string(), changed: z.exactOptional(dateText) })),
  damage: z.array(z.string()),
});

/** One backup of a directory. */
export interface Backup {
  directory: BackupDirectory;
  index: ParsedIndex;
  /** Undefined where another program wrote the layout. */
  facts: BackupFacts | undefined;
  config: string | undefined;
  /** People's lines; undefined where the stack had no users. */
  htpasswd: Secret | undefined;
}

/** A name for the folder of a backup. */
export const backupName = (time: Date): string => time.toISOString().replaceAll(":", "-");

/**
 * A directory in the OCI image layout, with the backups in it. Blobs are written once and shared by all
 * backups.
 */
export class BackupDirectory {
  readonly blobs: BlobFiles;

  private constructor(readonly path: string) {
    this.blobs = new BlobFiles(path);
  }

  /**
   * Opens a directory for writing; one that is not there, or is empty, becomes a layout.
   *
   * @throws OperatorError when it holds something else, or cannot be written
   */
  static async create(path: string): Promise<BackupDirectory> {
    const entries = await readdir(path).catch((cause: NodeJS.ErrnoException): string[] => {
      if (cause.code === "ENOENT") return [];
      throw cause.code === "ENOTDIR" ? isFile(path) : unusable(path, cause);
    });
    if (entries.length > 0 && !entries.includes(LAYOUT_FILE)) {
      throw new OperatorError("contains other files and is no backup", {
        where: path,
        remedy: "Specify a directory that is empty or does not exist yet.",
        exitCode: ExitCode.usage,
      });
    }
    const directory = new BackupDirectory(path);
    await writing(path, () => mkdir(join(path, "blobs", "sha256"), { recursive: true, mode: 0o700 }));
    if (!entries.includes(LAYOUT_FILE)) await writeFiles(path, [{ path: LAYOUT_FILE, text: LAYOUT }]);
    return directory;
  }

  /** @throws OperatorError when it is no OCI image layout */
  static async open(path: string): Promise<BackupDirectory> {
    const facts = await stat(path).catch(absentAs(undefined));
    if (facts?.isFile()) throw isFile(path);
    if (facts?.isDirectory() && (await stat(join(path, LAYOUT_FILE)).catch(absentAs(undefined))))
      return new BackupDirectory(path);
    throw new OperatorError(facts ? "is no OCI image layout" : "there is no such directory", {
      where: path,
      remedy: "Specify a directory that hephaestus backup or skopeo wrote.",
      exitCode: ExitCode.preflight,
    });
  }

  /** Names of its backups, the newest first. */
  async backups(): Promise<string[]> {
    const names = await readdir(join(this.path, BACKUPS)).catch(absentAs([]));
    return names
      .filter((name) => TIME.test(name))
      .sort()
      .reverse();
  }

  /**
   * A backup of it: the newest, or one by its name. A layout of another program has one without a name.
   *
   * @throws OperatorError when there is none, or its files are damaged
   */
  async read(name?: string): Promise<Backup> {
    const names = await this.backups();
    const chosen = name ?? names[0];
    if (chosen !== undefined && !names.includes(chosen)) {
      throw new OperatorError(`has no backup ${chosen}`, {
        where: this.path,
        remedy: `It has: ${names.slice(0, 5).join(", ")}`,
        exitCode: ExitCode.usage,
      });
    }
    const folder = chosen === undefined ? this.path : join(this.path, BACKUPS, chosen);
    const index = await readFile(join(folder, INDEX_FILE), "utf8").catch(absentAs(undefined));
    if (index === undefined) {
      throw new OperatorError("holds no complete backup", {
        where: this.path,
        remedy: "Run hephaestus backup with this directory again to resume it.",
        exitCode: ExitCode.preflight,
      });
    }
    const optional = (file: string) =>
      chosen === undefined
        ? Promise.resolve(undefined)
        : readFile(join(folder, file), "utf8").catch(absentAs(undefined));
    const [facts, config, htpasswd] = await Promise.all(
      [REPORT_FILE, CONFIG_FILE, HTPASSWD_FILE].map(optional),
    );
    try {
      return {
        directory: this,
        index: parseIndex(index),
        facts: facts === undefined ? undefined : factsOf(facts),
        config,
        htpasswd: htpasswd === undefined ? undefined : new Secret(htpasswd),
      };
    } catch (cause) {
      throw new OperatorError(`is damaged: ${(cause as Error).message}`, {
        where: folder,
        remedy: "Use another backup of the directory with --at, or another copy of it.",
        exitCode: ExitCode.verify,
        cause,
      });
    }
  }

  /** Adds a backup, complete or not at all, and makes it the one that the layout's index shows. */
  async add(
    facts: BackupFacts,
    index: string,
    config: string | undefined,
    htpasswd: Secret | undefined,
  ): Promise<void> {
    const name = backupName(new Date(facts.time));
    const pending = join(this.path, BACKUPS, `.${name}.tmp`);
    await rm(pending, { recursive: true, force: true });
    const files = [
      { path: INDEX_FILE, text: index },
      { path: REPORT_FILE, text: `${JSON.stringify(facts, null, 1)}\n` },
      ...(config === undefined ? [] : [{ path: CONFIG_FILE, text: config }]),
      ...(htpasswd === undefined ? [] : [{ path: HTPASSWD_FILE, text: htpasswd.reveal() }]),
    ];
    await writing(this.path, async () => {
      await writeFiles(pending, files, 0o600);
      await rename(pending, join(this.path, BACKUPS, name));
    });
    await this.show(index);
  }

  /** What other programs see of it. */
  show(index: string): Promise<void> {
    return writeFiles(this.path, [{ path: INDEX_FILE, text: index }]);
  }

  async remove(name: string): Promise<void> {
    await writing(this.path, () => rm(join(this.path, BACKUPS, name), { recursive: true }));
  }
}

function factsOf(text: string): BackupFacts {
  try {
    return parseJson(factsSchema, text);
  } catch (cause) {
    throw new TypeError(`${REPORT_FILE} ${(cause as Error).message}`, { cause });
  }
}

const isFile = (path: string): OperatorError =>
  new OperatorError("is a file, and a backup is a directory", {
    where: path,
    remedy: "Specify a directory.",
    exitCode: ExitCode.usage,
  });
