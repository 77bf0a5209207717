import picomatch from "picomatch";
import { publicUrls } from "../config/resolve.js";
import { daysBetween } from "../credentials/age.js";
import { Secret } from "../credentials/secret.js";
import { ExitCode, OperatorError } from "../errors.js";
import { RegistryApi } from "../images/registryApi.js";
import { planRetention, type Retention, type TaggedImage } from "../images/retention.js";
import { chooseReporter } from "../terminal/choose.js";
import { passwordFromStdin, userName } from "./credentials.js";
import { readAndRender } from "./render.js";

export interface PruneTagsFlags {
  config: string;
  keepLast?: number;
  olderThan?: number;
  match: string;
  repository: string;
  user?: string;
  passwordStdin?: boolean;
  dryRun?: boolean;
  json?: boolean;
  quiet?: boolean;
}

/** Deletes tags by a rule, showing what goes and what stays though the rule would let it go. */
export async function pruneTags(flags: PruneTagsFlags): Promise<ExitCode> {
  if (flags.keepLast === undefined && flags.olderThan === undefined) {
    throw new OperatorError("without a rule every tag would go", {
      remedy: "Use --keep-last, --older-than, or both.",
      exitCode: ExitCode.usage,
    });
  }
  const { config } = await readAndRender(flags.config, undefined);
  const reporter = await chooseReporter(flags);
  const login = {
    user: flags.user ?? userName(config.credentials, process.env),
    password: flags.passwordStdin ? await passwordFromStdin() : fromEnvironment(),
  };
  const api = new RegistryApi(publicUrls(config).registry, login);
  const now = new Date();
  const tags = picomatch(flags.match);
  const rule = {
    matches: (tag: string) => tags(tag),
    keepLast: flags.keepLast,
    olderThanDays: flags.olderThan,
    now,
  };
  const wanted = picomatch(flags.repository);
  let removed = 0;
  reporter.begin("prune", flags.dryRun ? "Tags that would go" : "Tags");
  for (const repository of (await api.repositories()).filter((name) => wanted(name))) {
    reporter.progress(repository);
    const plan = planRetention(await imagesOf(api, repository), rule);
    tell(repository, plan, now, (line) => reporter.note("info", line));
    for (const { digest, tags } of plan.doomed) {
      if (!flags.dryRun) await api.remove(repository, digest);
      removed += tags.length;
    }
  }
  const freed = removed > 0 && !flags.dryRun ? "; the disk has room again after a garbage collection" : "";
  reporter.end("done", `${removed} ${flags.dryRun ? "would go" : "removed"}${freed}`);
  reporter.result({ removed, dryRun: flags.dryRun ?? false }, []);
  return ExitCode.ok;
}

/** All tags of a repository with what they stand for; a few are asked for at once. */
async function imagesOf(api: RegistryApi, repository: string): Promise<TaggedImage[]> {
  const waiting = await api.tags(repository);
  const images: TaggedImage[] = [];
  const work = async () => {
    for (let tag = waiting.shift(); tag !== undefined; tag = waiting.shift()) {
      const image = await imageOf(api, repository, tag);
      if (image) images.push(image);
    }
  };
  await Promise.all(Array.from({ length: 8 }, work));
  return images.sort((a, b) => (a.tag < b.tag ? -1 : 1));
}

async function imageOf(api: RegistryApi, repository: string, tag: string): Promise<TaggedImage | undefined> {
  const manifest = await api.manifest(repository, tag);
  if (!manifest) return undefined;
  const dates: Array<Date | undefined> = [];
  for (const child of manifest.children) {
    const config = (await api.manifest(repository, child))?.config;
    dates.push(config === undefined ? undefined : await api.created(repository, config));
  }
  if (manifest.config !== undefined) dates.push(await api.created(repository, manifest.config));
  const known = dates.filter((date) => date !== undefined).map((date) => date.getTime());
  const created = known.length > 0 ? new Date(Math.max(...known)) : undefined;
  return { tag, digest: manifest.digest, children: manifest.children, created };
}

function tell(
  repository: string,
  { doomed, spared }: Retention,
  now: Date,
  say: (line: string) => void,
): void {
  for (const { tags, created } of doomed) {
    const age = created ? `${daysBetween(created, now)} days old` : "of unknown age";
    for (const tag of tags) say(`  goes   ${repository}:${tag} (${age})`);
  }
  for (const { tag, reason } of spared) say(`  stays  ${repository}:${tag} (${reason})`);
}

function fromEnvironment(): Secret {
  const raw = process.env.REGISTRY_RAW_PASSWORD;
  if (raw) return new Secret(raw);
  throw new OperatorError("needs a password: only who may push may delete", {
    remedy: "Set REGISTRY_USERNAME and REGISTRY_RAW_PASSWORD, or use --user and --password-stdin.",
    exitCode: ExitCode.usage,
  });
}
