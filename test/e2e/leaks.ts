/** Where a password might be seen by somebody, apart from processes (processes.ts looks at those). */
import { randomUUID } from "node:crypto";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { gunzipSync } from "node:zlib";
import { namesOf, runningContainers } from "./stack.js";
import type { Run, Workspace } from "./workspace.js";

/**
 * Looks at everything that Docker tells of a stack, its history included, at its logs, and at the files of its folder (the
 * images that are stored there left out, and where docker itself keeps a login of the tests).
 *
 * @param secrets texts that must not be seen
 * @param places further texts to look at, by what they are
 * @returns names of the places where one was seen
 * @throws Error if a place could not be looked at
 */
export async function findLeaks(
  workspace: Workspace,
  secrets: readonly string[],
  places: Readonly<Record<string, string>> = {},
): Promise<string[]> {
  // Whoever does not find what was put there would find no password either.
  const planted = randomUUID();
  const file = `${workspace.folder}/planted`;
  const config = `${workspace.stack}_planted`;
  await writeFile(file, planted);
  succeeded(await workspace.run("docker", ["config", "create", config, "-"], { input: planted }));
  try {
    const texts: Record<string, string> = { ...places, ...(await textsOf(workspace)) };
    const found = (words: readonly string[]) =>
      Object.keys(texts).filter((place) => words.some((word) => texts[place]?.includes(word)));
    const seen = found([planted]).sort();
    if (String(seen) !== String([file, `config ${config}`].sort()))
      throw new Error(`What was planted was found in these places alone: ${seen}`);
    return found(secrets);
  } finally {
    succeeded(await workspace.docker("config", "rm", config));
    await rm(file);
  }
}

/** What everybody may read of a stack, by where. */
async function textsOf(workspace: Workspace): Promise<Record<string, string>> {
  const texts: Record<string, string> = await configContents(workspace);
  for (const type of ["service", "secret", "config"] as const) {
    const inspected = succeeded(await workspace.docker(type, "inspect", ...(await namesOf(workspace, type))));
    for (const object of JSON.parse(inspected) as Array<{ Spec: { Name: string } }>)
      texts[`${type} ${object.Spec.Name} itself`] = JSON.stringify(object);
  }
  for (const name of await namesOf(workspace, "service"))
    texts[`logs of ${name}`] = succeeded(await workspace.docker("service", "logs", name));
  for (const id of await runningContainers(workspace)) {
    const run = await workspace.docker("inspect", id);
    // It may have ended meanwhile.
    if (run.exitCode === 0 || (await runningContainers(workspace)).includes(id))
      texts[`container ${id}`] = succeeded(run);
  }
  for (const entry of await readdir(workspace.folder, { recursive: true, withFileTypes: true })) {
    const path = `${entry.parentPath}/${entry.name}`;
    const ofOthers = ["data/", "docker-"].some((start) => path.startsWith(`${workspace.folder}/${start}`));
    if (entry.isFile() && !ofOthers) texts[path] = await readFile(path, "latin1");
  }
  return texts;
}

const GZIP = Buffer.from([0x1f, 0x8b]);

/** What the configs of a stack hold, by "config NAME", unpacked where it is packed (records of the history are). */
export async function configContents(workspace: Workspace): Promise<Record<string, string>> {
  const names = await namesOf(workspace, "config");
  const inspected = succeeded(await workspace.docker("config", "inspect", ...names));
  const configs = JSON.parse(inspected) as Array<{ Spec: { Name: string; Data: string } }>;
  return Object.fromEntries(
    configs.map(({ Spec }) => {
      const data = Buffer.from(Spec.Data, "base64");
      return [`config ${Spec.Name}`, String(data.indexOf(GZIP) === 0 ? gunzipSync(data) : data)];
    }),
  );
}

/** An error text holds no password, and proves nothing. */
function succeeded({ exitCode, all }: Run): string {
  if (exitCode !== 0) throw new Error(all);
  return all;
}
