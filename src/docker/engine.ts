import type { Docker } from "./run.js";

/** What an engine reports about itself. */
export interface EngineInfo {
  clock: { there: Date; here: Date };
  /** Where it keeps images and containers. */
  dataRoot: string;
}

/** Asks the engine. Its clock is compared with this machine's in the middle of the call. */
export async function readEngine(docker: Docker): Promise<EngineInfo> {
  const begin = Date.now();
  const [time = "", dataRoot = ""] = (
    await docker.run(["info", "--format", "{{.SystemTime}}\n{{.DockerRootDir}}"])
  )
    .trim()
    .split("\n");
  const here = new Date((begin + Date.now()) / 2);
  return { clock: { there: new Date(time), here }, dataRoot };
}
