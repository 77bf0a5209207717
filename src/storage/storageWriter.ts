import { interrupted } from "../docker/run.js";
import { endOnStorage, type StorageAccess, startOnStorage } from "./storageContainer.js";
import { storageFailed } from "./storageReader.js";

/** As the registry writes: for nobody else to read. */
const EXTRACT = "umask 077\nexec tar -x -f - -o";

/** The mark that ends a tar archive. */
const END_OF_ARCHIVE = Buffer.alloc(1024);

/**
 * Unpacks tar entries in the storage folder, as the registry's user. When it returns, all of it is written.
 *
 * @param chunks entries without the mark of the end
 * @throws OperatorError when tar fails; the error of the chunks when they do: then tar sees an archive that is torn off
 */
export async function extractToStorage(
  access: StorageAccess,
  chunks: AsyncIterable<Buffer>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const process = await startOnStorage(access, EXTRACT, false);
  const { stdin, stdout, ended } = process;
  stdout.resume();
  let hasEnded = false;
  const end = ended.then((result) => {
    hasEnded = true;
    return result;
  });
  const write = async (bytes: Buffer) => {
    if (stdin.write(bytes)) return;
    // A process that has ended reads nothing more.
    await Promise.race([new Promise((resolve) => stdin.once("drain", resolve)), end]);
  };
  try {
    for await (const chunk of chunks) {
      if (hasEnded) break;
      await write(chunk);
    }
    await write(END_OF_ARCHIVE);
    stdin.end();
    const result = await end;
    if (signal?.aborted) throw interrupted();
    if (result.exitCode !== 0)
      throw storageFailed(access.config.registry.storage.path, result.stderr, result.exitCode);
  } finally {
    if (!hasEnded || signal?.aborted) await endOnStorage(process, access);
  }
}

/** Removes files below the storage folder. */
export async function removeFromStorage(access: StorageAccess, paths: readonly string[]): Promise<void> {
  const { stdin, stdout, ended } = await startOnStorage(
    access,
    'while read -r path; do rm -f "$path"; done',
    false,
  );
  stdout.resume();
  stdin.end(paths.map((path) => `${path}\n`).join(""));
  await ended;
}
