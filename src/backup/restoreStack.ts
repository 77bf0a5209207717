import { publicUrls } from "../config/resolve.js";
import type { Credentials } from "../credentials/userChanges.js";
import type { Login } from "../credentials/userLogin.js";
import { applyPlan } from "../deploy/applyPlan.js";
import { preflight } from "../deploy/preflight.js";
import { interrupted } from "../docker/failures.js";
import { ExitCode, OperatorError } from "../errors.js";
import type { RegistryApi } from "../registry/registryApi.js";
import { stackRegistry } from "../registry/stackRegistry.js";
import type { Session } from "../session.js";
import { withLock } from "../swarm/lock/stackLock.js";
import { inStep, skipped } from "../terminal/inStep.js";
import { bytesText, ProgressMeter } from "../terminal/progress.js";
import { listed } from "../terminal/table.js";
import { bringing } from "../users/planUsers.js";
import { withTemporaryUser } from "../users/rotation.js";
import { countsOf, readBackupContent, type Whole } from "./backupContent.js";
import type { Backup } from "./backupDirectory.js";
import type { NamedManifest } from "./ociLayout.js";
import { proveRegistry, requireComplete } from "./proveBackup.js";
import { type PushedImages, presentImages, pushImages } from "./pushImages.js";
import { addUsers, inheritedUsers } from "./restoreUsers.js";

export interface RestoreRequest {
  backup: Backup;
  /** Credentials of the environment, for a stack without users and a backup without them. */
  given: Credentials | undefined;
  /** A user who may push. If undefined, a temporary user is created for the restore. */
  login: Login | undefined;
  /** Whether a registry that has other images may be written to. */
  force: boolean;
  /** Whether everything is read back afterwards. */
  readBack: boolean;
}

/** What a restore did. */
export interface RestoreReport {
  tags: number;
  images: number;
  blobs: number;
  /** What was not there yet. */
  written: PushedImages;
  /** Whether the stack was deployed, with the backup's users. */
  deployed: boolean;
  seconds: number;
}

/**
 * Brings back what a backup holds: deploys the stack where it has no users yet, with those of the backup, and
 * pushes the images.
 *
 * @throws OperatorError from the step that failed; the same command continues where it stopped
 */
export async function restoreStack(session: Session, request: RestoreRequest): Promise<RestoreReport> {
  const { config, signal } = session;
  const { backup, given, login: pusher } = request;
  const began = Date.now();
  const content = await readBackupContent(backup);
  requireWhole(backup, content);
  const first = inheritedUsers(backup);
  const plan = await preflight(session, first ? { first } : bringing(given));
  const deployed = plan.secrets.kept === undefined;
  if (deployed) await applyPlan(session, plan, restoredFrom(backup));
  else await addUsers(session, backup, pusher);
  const push = (login: Login) =>
    withLock(session, config.stack, () => restoreImages(session, request, login, content));
  const written = await (pusher ? push(pusher) : withTemporaryUser(session, push)).catch((error: unknown) => {
    throw signal.aborted ? interrupted() : error;
  });
  return {
    ...countsOf(content),
    written,
    deployed,
    seconds: (Date.now() - began) / 1000,
  };
}

const restoredFrom = ({ facts }: Backup): string =>
  `restored from the backup of ${facts?.time.slice(0, 16) ?? "another program"}`;

/** @throws OperatorError where files of a backup are missing, before anything is changed */
function requireWhole({ directory, index }: Backup, { damage }: Whole): void {
  const nameless = index.nameless.map((name) => `${name} has no name of the form repository:tag`);
  if (damage.length + nameless.length === 0) return;
  throw new OperatorError(listed([...nameless, ...damage]), {
    where: directory.path,
    remedy:
      nameless.length > 0
        ? "Give each image a name when it is copied: skopeo copy docker://HOST/REPOSITORY:TAG oci:DIRECTORY:REPOSITORY:TAG"
        : "Use another copy of the backup, or an earlier one of this directory with --at.",
    exitCode: ExitCode.verify,
  });
}

/** Pushes the images that the registry does not have, and reads all of them back if that is asked for. */
async function restoreImages(
  session: Session,
  { backup, force, readBack }: RestoreRequest,
  login: Login,
  content: Whole,
): Promise<PushedImages> {
  const { reporter } = session;
  const api = stackRegistry(session, login);
  const url = publicUrls(session.config).registry;
  const meter = new ProgressMeter(reporter);
  const { named } = content;
  const missing = await inStep(
    reporter,
    { id: "compare", title: "Registry" },
    async () => {
      const present = await presentImages(api, named);
      if (!force) await requireNoOther(api, url, present);
      return named.filter((manifest) => !present.has(manifest));
    },
    ({ length }) => `${length} of ${named.length} images are missing`,
  );
  const written = await inStep(
    reporter,
    { id: "images", title: "Images" },
    async () => {
      meter.begin(0);
      return pushImages(api, backup.directory, missing, meter);
    },
    ({ manifests, blobs, bytes }) =>
      manifests === 0
        ? "all there"
        : `${manifests} manifests and ${blobs} blobs (${bytesText(bytes)}) pushed`,
  );
  await inStep(reporter, { id: "proof", title: "Proof" }, async () => {
    if (!readBack) return skipped("not requested (--read-back)");
    const faults = await proveRegistry(api, content, meter);
    if (faults.length > 0) {
      throw new OperatorError(listed(faults), {
        where: url,
        remedy: "Delete these images, then run the same command again: it pushes them again.",
        exitCode: ExitCode.verify,
      });
    }
    requireComplete(backup);
    return `${named.length} images and ${content.blobs.size} blobs are right`;
  });
  return written;
}

/** @throws OperatorError where the registry has tags that the backup does not have, or with other images */
async function requireNoOther(
  api: RegistryApi,
  url: string,
  present: ReadonlySet<NamedManifest>,
): Promise<void> {
  const own = new Set([...present].map(({ repository, tag }) => `${repository}:${tag}`));
  const others: string[] = [];
  for (const repository of await api.repositories()) {
    const names = (await api.tags(repository)).map((tag) => `${repository}:${tag}`);
    others.push(...names.filter((name) => !own.has(name)));
  }
  if (others.length === 0) return;
  const more = others.length > 3 ? ` and ${others.length - 3} more` : "";
  throw new OperatorError(`has other images than the backup: ${others.slice(0, 3).join(", ")}${more}`, {
    where: url,
    remedy: "Use --force to keep them; tags of the backup then get the image of the backup.",
    exitCode: ExitCode.preflight,
  });
}
