/** Where a password might be seen by somebody, apart from processes (processes.ts looks at those). */
import { readdir, readFile } from "node:fs/promises";
import { runningContainers, swarmObjects } from "./stack.js";
import type { Workspace } from "./workspace.js";

/**
 * Looks at everything that Docker tells of a stack, at its logs, and at the files of its folder (the images that are
 * stored there left out, and where docker itself keeps a login of the tests).
 *
 * @param secrets texts that must not be seen
 * @param places further texts to look at, by what they are
 * @returns names of the places where one was seen
 */
export async function findLeaks(
  workspace: Workspace,
  secrets: readonly string[],
  places: Readonly<Record<string, string>> = {},
): Promise<string[]> {
  const texts: Record<string, string> = { ...places };
  const objects = await swarmObjects(workspace);
  for (const object of objects) {
    const [type = "", name = ""] = object.split(" ");
    texts[object] = (await workspace.docker(type, "inspect", name)).all;
    if (type === "service") texts[`logs of ${name}`] = (await workspace.docker("service", "logs", name)).all;
  }
  for (const id of await runningContainers(workspace))
    texts[`container ${id}`] = (await workspace.docker("inspect", id)).all;
  texts["stack config"] = (await workspace.docker("stack", "config", "-c", "docker-compose.yml")).all;
  for (const entry of await readdir(workspace.folder, { recursive: true, withFileTypes: true })) {
    const path = `${entry.parentPath}/${entry.name}`;
    const ofOthers = ["data/", "docker-"].some((start) => path.startsWith(`${workspace.folder}/${start}`));
    if (entry.isFile() && !ofOthers) texts[path] = await readFile(path, "latin1");
  }
  return Object.keys(texts).filter((place) => secrets.some((secret) => texts[place]?.includes(secret)));
}
