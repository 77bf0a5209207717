import { interrupted } from "../docker/run.js";
import type { DockerProcess } from "../docker/stream.js";
import { ExitCode, OperatorError } from "../errors.js";
import { ByteReader, EndOfStream } from "./byteReader.js";
import { blobAt, blobPath, isDigest, isLinkPath, type Link, parseLink, ROOT } from "./layout.js";
import { endOnStorage, type StorageAccess, startOnStorage } from "./storageContainer.js";

/** A kind of link, and what of the tree is no place for it: `find` does not go there. */
const PASSES = {
  // A tag may be named as these folders are, but it lies below _manifests.
  tags: "\\( -name _layers -o -name _uploads \\) ! -path '*/_manifests/*' -prune -o -path '*/_manifests/revisions' -prune",
  revisions:
    "\\( -name _layers -o -name _uploads \\) ! -path '*/_manifests/*' -prune -o -path '*/_manifests/tags' -prune",
  layers: "-name _manifests -prune -o -name _uploads -prune",
} as const;
export type Pass = keyof typeof PASSES;

/**
 * Answers requests, one a line: a word and paths. Texts end with a line that is a dot. `read` gives sizes, then the contents
 * one behind the other; where one cannot be read completely, the script ends there, so that no other blob takes its place. A link that is being written may be empty: it has an
 * empty first word.
 */
const SCRIPT = `
links='for f; do l=; read -r l <"$f"; printf "%s %s\\n" "$l" "$f"; done'
while read -r what paths; do
  case $what in
${Object.entries(PASSES)
  .map(
    ([pass, prune]) =>
      `  ${pass}) [ ! -d ${ROOT}/repositories ] || find ${ROOT}/repositories ${prune} -o -type f -name link -exec sh -c "$links" sh {} + ;;`,
  )
  .join("\n")}
  again) sh -c "$links" sh $paths ;;
  blobs) [ ! -d ${ROOT}/blobs/sha256 ] || find ${ROOT}/blobs/sha256 -type f -name data -exec stat -c '%s %n' {} + ;;
  sums) sha256sum $paths ;;
  read)
    found=$(stat -c '%s %n' $paths) || :
    [ -z "$found" ] || printf '%s\\n' "$found"
    echo .
    for f in $(printf '%s\\n' "$found" | sed 's/^[^ ]* //'); do cat "$f" || exit 3; done
    continue ;;
  esac
  echo .
done`;

/** Blobs of one request at most; a command line takes more. */
const GROUP = 64;
const GROUP_BYTES = 8 * 1024 * 1024;
/** How often a link that holds no digest is read again, and milliseconds between. */
const AGAIN = { times: 5, wait: 200 } as const;

export interface StoredBlob {
  digest: string;
  size: number;
  /** Ends with EndOfStream where the file cannot be read completely. */
  content: AsyncIterable<Buffer>;
}

/** Looks at the registry's storage, in one container, which ends with `close`. */
export class StorageReader {
  private process: DockerProcess | undefined;
  private output = new ByteReader((async function* (): AsyncGenerator<Buffer> {})());

  constructor(
    private readonly access: StorageAccess,
    private readonly signal: AbortSignal | undefined,
  ) {}

  /**
   * The links of one kind, as they are while the tree is walked.
   *
   * @returns the links, and paths of those whose content is not what their place says, also after some time
   */
  async links(pass: Pass): Promise<{ links: Link[]; odd: string[] }> {
    const links: Link[] = [];
    let odd: string[] = [];
    const sort = (lines: readonly string[]) => {
      for (const line of lines) {
        const at = line.indexOf(" ");
        const [content, path] = [line.slice(0, at), line.slice(at + 1)];
        const link = parseLink(path, content);
        if (link) links.push(link);
        else if (isLinkPath(path)) odd.push(path);
      }
    };
    sort(await this.texts(pass));
    // The registry truncates a link before it writes it: what was caught in between is right a moment later.
    for (let times = 0; odd.length > 0 && times < AGAIN.times; times++) {
      await new Promise((resolve) => setTimeout(resolve, AGAIN.wait));
      const paths = odd.splice(0);
      for (const group of inGroups(paths, GROUP)) sort(await this.texts("again", group));
    }
    // What was deleted in the meantime is not odd.
    if (odd.length > 0) {
      const there = new Set((await this.texts(pass)).map((line) => line.slice(line.indexOf(" ") + 1)));
      odd = odd.filter((path) => there.has(path));
    }
    return { links, odd };
  }

  /** The blobs that are there, with their sizes in bytes. */
  async blobs(): Promise<Map<string, number>> {
    return sizesOf(await this.texts("blobs"));
  }

  /**
   * Reads blobs, in the given order; what is not there is left out.
   *
   * @param wanted with the sizes that they are expected to have
   */
  async *read(wanted: ReadonlyArray<{ digest: string; size: number }>): AsyncGenerator<StoredBlob> {
    for (const group of inGroups(wanted, GROUP, GROUP_BYTES)) {
      await this.ask(
        "read",
        group.map(({ digest }) => blobPath(digest)),
      );
      const sizes = sizesOf(await this.answer());
      for (const [digest, size] of sizes) {
        const content = this.output.take(size);
        yield { digest, size, content };
        for await (const _rest of content);
      }
    }
  }

  /** The SHA-256 digests of what is stored as these blobs; one that cannot be read is missing. */
  async sums(digests: readonly string[]): Promise<Map<string, string>> {
    const lines = await this.texts("sums", digests.map(blobPath));
    return new Map(
      lines.flatMap((line) => {
        const [, hex, path = ""] = /^([0-9a-f]{64}) [ *](.+)$/.exec(line) ?? [];
        const digest = blobAt(path);
        return digest === undefined || !isDigest(`sha256:${hex}`) ? [] : [[digest, `sha256:${hex}`] as const];
      }),
    );
  }

  /** Ends the container; it can be asked again, and another one is started. */
  async close(): Promise<void> {
    const { process } = this;
    this.process = undefined;
    if (!process) return;
    await endOnStorage(process, this.access);
  }

  private async texts(what: string, paths: readonly string[] = []): Promise<string[]> {
    await this.ask(what, paths);
    return this.answer();
  }

  private async ask(what: string, paths: readonly string[]): Promise<void> {
    if (!this.process) {
      this.process = await startOnStorage(this.access, SCRIPT, true);
      this.output = new ByteReader(this.process.stdout as AsyncIterable<Buffer>);
    }
    this.process.stdin.write(`${[what, ...paths].join(" ")}\n`);
  }

  private async answer(): Promise<string[]> {
    const lines: string[] = [];
    for (;;) {
      const line = await this.output.line();
      if (line === ".") return lines;
      if (line === undefined) throw await this.failed();
      lines.push(line);
    }
  }

  private async failed(): Promise<OperatorError> {
    const { config } = this.access;
    const result = await this.process?.ended;
    if (this.signal?.aborted) return interrupted();
    return storageFailed(config.registry.storage.path, result?.stderr ?? "", result?.exitCode ?? 0);
  }
}

/** The container on the storage did not do what it should. */
export function storageFailed(path: string, stderr: string, exitCode: number): OperatorError {
  const reason = stderr.trim().split("\n").slice(-3).join("\n") || `ended with exit code ${exitCode}`;
  const missing = /bind source path does not exist/.test(stderr);
  const full = /no space left|quota exceeded/i.test(stderr);
  return new OperatorError(missing ? "the storage folder is not there" : reason, {
    where: path,
    remedy: missing
      ? "Deploy the stack first: hephaestus deploy"
      : full
        ? "Free space on that disk, then run the same command again: it continues where it stopped."
        : "Fix the reported problem, then run the same command again: it continues where it stopped.",
    exitCode: ExitCode.preflight,
  });
}

export const isEndOfStream = (error: unknown): boolean => error instanceof EndOfStream;

function sizesOf(lines: readonly string[]): Map<string, number> {
  return new Map(
    lines.flatMap((line) => {
      const at = line.indexOf(" ");
      const digest = blobAt(line.slice(at + 1));
      return digest === undefined ? [] : [[digest, Number(line.slice(0, at))] as const];
    }),
  );
}

/** Parts of a list, each with so many items, and bytes, at most; one item that is larger stands alone. */
export function* inGroups<T>(
  list: readonly T[],
  most: number,
  bytes = Number.POSITIVE_INFINITY,
): Generator<T[]> {
  let group: T[] = [];
  let sum = 0;
  for (const item of list) {
    const size = (item as { size?: number }).size ?? 0;
    if (group.length > 0 && (group.length >= most || sum + size > bytes)) {
      yield group;
      [group, sum] = [[], 0];
    }
    group.push(item);
    sum += size;
  }
  if (group.length > 0) yield group;
}
