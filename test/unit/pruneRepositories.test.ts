import { expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import { type PruneOptions, pruneRepositories } from "../../src/maintenance/pruneRepositories.js";
import { policyRule, retentionSelections, unseenOf } from "../../src/maintenance/retentionPolicy.js";
import type { RegistryApi } from "../../src/registry/registryApi.js";
import { UnexpectedAnswer } from "../../src/registry/registryClient.js";
import { silentReporter } from "../support/silentReporter.js";

const now = new Date("2026-11-26T12:00:00Z");
const load = (text: string) =>
  loadConfig(`domain: a.example\nregistry: { delete: true }\n${text}`, "f", {}).config;

/** A registry whose tags are `name=digest`; those with the digest "torn" cannot be read. */
function registry(repositories: Readonly<Record<string, readonly string[]>>) {
  const removed: string[] = [];
  const api = {
    repositories: async () => Object.keys(repositories),
    tags: async (name: string) => repositories[name]?.map((tag) => tag.split("=")[0]),
    manifest: async (name: string, reference: string) => {
      const digest = repositories[name]?.find((tag) => tag.startsWith(`${reference}=`))?.split("=")[1];
      if (digest === "torn") throw new UnexpectedAnswer("torn", 500, { where: name, exitCode: 1 });
      return { digest, children: [], created: new Date("2026-01-01T00:00:00Z") };
    },
    remove: async (name: string, digest: string) => void removed.push(`${name}@${digest}`),
  };
  return { api: api as unknown as RegistryApi, removed };
}

async function prune(api: RegistryApi, options: Partial<PruneOptions>) {
  const notes: string[] = [];
  const note = (_severity: string, line: string) => void notes.push(line);
  const reporter = { ...silentReporter, note };
  const defaults = {
    ruleFor: () => undefined,
    wanted: () => true,
    hidden: () => [],
    dryRun: false,
    explain: false,
  };
  return { ...(await pruneRepositories(api, reporter, { ...defaults, ...options })), notes };
}

const config = load("retention: [{ repositories: ['a/*'], keep: { tags: [keep] } }]");
const ruleFor = (repository: string) => policyRule(config, repository, now);

test("each image that may go is deleted once, with all of its tags", async () => {
  const { api, removed } = registry({
    "a/app": ["one=1", "other=1", "keep=2"],
    "a/tool": ["old=3"],
    "b/app": ["old=4"],
  });
  expect(await prune(api, { ruleFor })).toMatchObject({ removed: 3, skipped: 0 });
  expect(removed).toEqual(["a/app@1", "a/tool@3"]);
});

test("a dry run says what would go, and deletes nothing", async () => {
  const { api, removed } = registry({ "a/app": ["old=1", "keep=2"] });
  const { removed: count, notes } = await prune(api, { ruleFor, dryRun: true });
  expect(count).toBe(1);
  expect(notes).toEqual(["  goes   a/app:old (329 days old)"]);
  expect(removed).toEqual([]);
});

test("only the wanted repositories are pruned", async () => {
  const { api, removed } = registry({ "a/app": ["old=1"], "a/tool": ["old=3"] });
  await prune(api, { ruleFor, wanted: (repository) => repository === "a/tool" });
  expect(removed).toEqual(["a/tool@3"]);
});

test("a repository with an image that cannot be read is left alone: what that image needs is not known", async () => {
  const { api, removed } = registry({ "a/app": ["old=1", "odd=torn"], "a/tool": ["old=3"] });
  const { skipped, notes } = await prune(api, { ruleFor });
  expect(skipped).toBe(1);
  expect(notes[0]).toMatch(/^a\/app is skipped: odd cannot be read/);
  expect(removed).toEqual(["a/tool@3"]);
});

test("pruning says which rules match nothing that the caller can see, and whose repositories it did not see", async () => {
  const closed = load(`access:
  - { repositories: ["team/**"], pull: [ann] }
retention:
  - { repositories: ["team/**"], keep: { last: 1 } }
  - { repositories: ["**"], keep: { last: 1 } }
`);
  const unseen = async (user: string) => {
    const hidden = (names: readonly string[]) => unseenOf(retentionSelections(closed), closed, user, names);
    return (await prune(registry({ "pr/app": [] }).api, { hidden })).unseen;
  };
  expect(await unseen("bob")).toEqual([
    "rule 1 of retention matches nothing that you can see; team/** (rule 1 of access): bob may not pull there",
    "team/** (rule 1 of access): bob may not pull there",
  ]);
  expect(await unseen("ann")).toEqual([]);
});
