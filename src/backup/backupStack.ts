import { TEMPORARY_USER } from "../access/repositoryRules.js";
import { formatHtpasswd } from "../credentials/htpasswd.js";
import type { Login } from "../credentials/userLogin.js";
import { interrupted } from "../docker/failures.js";
import { recordEvent } from "../history/recordSteps.js";
import { endLeftReadOnly } from "../maintenance/lease.js";
import type { Digest } from "../registry/digest.js";
import { RegistryApi } from "../registry/registryApi.js";
import { RegistryClient } from "../registry/registryClient.js";
import { stackRegistry } from "../registry/stackRegistry.js";
import type { Session } from "../session.js";
import { withLock } from "../swarm/lock/stackLock.js";
import { inStep } from "../terminal/inStep.js";
import { bytesText, ProgressMeter } from "../terminal/progress.js";
import type { Reporter } from "../terminal/reporter.js";
import { readUsers, type StackUsers } from "../users/readUsers.js";
import { bytesOf, countsOf, wholeImages } from "./backupContent.js";
import { type BackupDirectory, type BackupFacts, backupName } from "./backupDirectory.js";
import { type CollectedImages, collectImages } from "./collectImages.js";
import { type FetchedBlobs, fetchBlobs, type Wanted } from "./fetchBlobs.js";
import { formatIndex } from "./ociLayout.js";
import { lookAtStack } from "./stackView.js";

/** Where a backup goes, and who makes it. */
export interface BackupRequest {
  directory: BackupDirectory;
  /** Who reads the registry. A stack is read with an account of its own, where there is one. */
  login: Login | undefined;
  /** What writes it: name and version. */
  tool: string;
  signal: AbortSignal;
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
export const backupStack = (
  session: Session,
  request: BackupRequest,
  configText: string,
): Promise<BackupReport> =>
  withLock(session, session.config.stack, async () => {
    const report = await backupLocked(session, request, configText);
    const parts = report.damage.length > 0 ? { failed: ["backup"] } : { done: ["backup"] };
    await recordEvent(session, "backup", describeBackup(report), parts);
    return report;
  });

/** What a backup holds, for the history. */
export const describeBackup = ({ images, bytes, damage }: BackupFacts): string =>
  `${images} images, ${bytes} bytes${damage.length > 0 ? ", incomplete" : ""}`;

/**
 * Backs up the config, the users and the images of a stack while it runs. The caller holds the stack's lock:
 * it keeps a garbage collection away, and nothing else removes a blob.
 *
 * @param configText the text of hephaestus.yaml
 * @throws OperatorError when it cannot be completed; the same command continues then, and earlier backups
 * stay as they are
 */
export async function backupLocked(
  session: Session,
  request: BackupRequest,
  configText: string,
): Promise<BackupReport> {
  const { config, reporter } = session;
  // What a killed garbage collection left; a backup itself needs no such thing.
  await endLeftReadOnly(session);
  const found = await inStep(
    reporter,
    { id: "users", title: "Users" },
    () => readUsers(session),
    (read) => {
      if (read) return read.users.map(({ user }) => user).join(", ");
      reporter.note("warning", "The stack has no users, so the backup has no users.");
      return "none there";
    },
  );
  const { login, unseen } = await inStep(
    reporter,
    { id: "storage", title: "Storage" },
    () => lookAtStack(session, request.login),
    ({ said }) => said,
  );
  const api = stackRegistry(session, login);
  return backUp(request, reporter, { api, stack: config.stack, configText, found, unseen });
}

/**
 * Backs up the images of any registry.
 *
 * @param url where the registry answers
 * @param stack the name that the backup carries
 * @param unseen what is not among the repositories that the registry lists, as far as that is known
 * @throws OperatorError when it cannot be completed; the same command continues then
 */
export function backupImages(
  request: BackupRequest,
  url: string,
  reporter: Reporter,
  stack: string,
  unseen: Source["unseen"],
): Promise<BackupReport> {
  const { login, signal } = request;
  const api = new RegistryApi(new RegistryClient(url, login, { signal }));
  return backUp(request, reporter, { api, stack, configText: undefined, found: undefined, unseen });
}

/** What is backed up. */
interface Source {
  /** The registry with the images. */
  api: RegistryApi;
  stack: string;
  configText: string | undefined;
  /** The users of the stack. */
  found: StackUsers | undefined;
  /**
   * What the backup lacks, as sentences, since the registry does not list it.
   *
   * @param seen the repositories that it lists
   * @throws OperatorError where a registry that lists nothing has something
   */
  unseen: (seen: readonly string[]) => string[];
}

/** Reads the images and their blobs, and adds a backup of them to the directory. */
async function backUp(request: BackupRequest, reporter: Reporter, source: Source): Promise<BackupReport> {
  const { directory, signal } = request;
  const { api } = source;
  const began = Date.now();
  const meter = new ProgressMeter(reporter);
  try {
    const { unseen, images } = await inStep(
      reporter,
      { id: "images", title: "Tags and images" },
      async () => ({
        unseen: source.unseen(await api.repositories()),
        images: await collectImages(api, directory.blobs, (name) => reporter.progress(name)),
      }),
      ({ images: { named, references } }) =>
        `${named.filter(({ tag }) => tag !== undefined).length} tags, ${references.size} images`,
    );
    const { fetched, sizes } = await inStep(
      reporter,
      { id: "blobs", title: "Blobs" },
      () => fetchMissing(api, directory, [...images.blobs.values()], meter, signal),
      ({ fetched: { blobs, bytes }, present }) =>
        `${blobs} read (${bytesText(bytes)}), ${present} there already`,
    );
    const damage = [...unseen, ...images.damage, ...fetched.damage];
    const facts = await inStep(
      reporter,
      { id: "index", title: "Index" },
      () => addBackup(request, source, images, sizes, damage),
      (added) => `${added.images} images, ${bytesText(added.bytes)}`,
    );
    for (const sentence of facts.damage) reporter.note("error", `left out: ${sentence}`);
    return {
      ...facts,
      name: backupName(new Date(facts.time)),
      read: { blobs: fetched.blobs, bytes: fetched.bytes },
      seconds: (Date.now() - began) / 1000,
    };
  } catch (error) {
    throw signal.aborted ? interrupted() : error;
  }
}

/**
 * Fetches the blobs that the directory does not have.
 *
 * @returns also the bytes of each blob that is there now, and how many were there before
 */
async function fetchMissing(
  api: RegistryApi,
  { blobs }: BackupDirectory,
  wanted: readonly Wanted[],
  meter: ProgressMeter,
  signal: AbortSignal,
): Promise<{ fetched: FetchedBlobs; sizes: Map<Digest, number>; present: number }> {
  const sizes = await blobs.all();
  // A manifest that does not say how large a blob is leaves that to its digest, which was right when it was
  // written.
  const missing = wanted.filter(({ digest, size }) => {
    const held = sizes.get(digest);
    return held === undefined || (size !== undefined && held !== size);
  });
  const fetched = await fetchBlobs(api, blobs, missing, meter, signal);
  for (const { digest } of missing) {
    const size = await blobs.sizeOf(digest);
    if (size === undefined) sizes.delete(digest);
    else sizes.set(digest, size);
  }
  return { fetched, sizes, present: wanted.length - missing.length };
}

/** Writes what names the backup, as the last of it. */
async function addBackup(
  { directory, tool }: BackupRequest,
  { stack, configText, found }: Source,
  { named, references }: CollectedImages,
  sizes: Map<Digest, number>,
  damage: readonly string[],
): Promise<BackupFacts> {
  const whole = wholeImages({ named, references, blobs: sizes });
  const users = (found?.users ?? []).filter(({ user }) => user !== TEMPORARY_USER);
  const facts: BackupFacts = {
    stack,
    time: new Date().toISOString(),
    tool,
    ...countsOf(whole),
    bytes: bytesOf(whole, sizes),
    users: users.map(({ user }) => {
      const changed = found?.changed.get(user)?.toISOString();
      return changed === undefined ? { user } : { user, changed };
    }),
    damage: [...new Set([...damage, ...whole.damage])],
  };
  await directory.add(facts, formatIndex(whole.named), configText, found && formatHtpasswd(users));
  await directory.blobs.removePartial();
  return facts;
}
