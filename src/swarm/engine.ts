import { z } from "zod";
import { checked, engineGet } from "../docker/engineApi.js";
import { dockerFailed } from "../docker/failures.js";
import type { Docker } from "../docker/run.js";

const ENGINE_INFO = z.object({
  /** Its own time, ISO 8601. The times of tasks are compared with it. */
  SystemTime: z.string(),
  DockerRootDir: z.string(),
  Swarm: z.object({
    LocalNodeState: z.string(),
    ControlAvailable: z.boolean(),
    NodeID: z.string(),
    NodeAddr: z.string(),
  }),
});

/** What an engine reports about itself. */
export const readEngineInfo = (docker: Docker): Promise<z.infer<typeof ENGINE_INFO>> =>
  engineGet(docker, "/info", ENGINE_INFO);

/** The time of the engine, ISO 8601. */
export const engineTime = async (docker: Docker): Promise<string> =>
  (await readEngineInfo(docker)).SystemTime;

/** The disk and the clock of an engine. */
export interface EngineFacts {
  clock: { there: Date; here: Date };
  /** Where it keeps images and containers. */
  dataRoot: string;
}

/** Asks the engine. Its clock is compared with this machine's in the middle of the question. */
export async function readEngine(docker: Docker): Promise<EngineFacts> {
  const begin = Date.now();
  const { SystemTime, DockerRootDir } = await readEngineInfo(docker);
  const here = new Date((begin + Date.now()) / 2);
  return { clock: { there: new Date(SystemTime), here }, dataRoot: DockerRootDir };
}

/** An image that an engine has, by one of its tags. */
export interface TaggedImage {
  name: string;
  /** Bytes. */
  size: number;
}

const IMAGES = z.array(z.object({ RepoTags: z.array(z.string()).nullish(), Size: z.number() }));

export const readTaggedImages = async (docker: Docker): Promise<TaggedImage[]> =>
  (await engineGet(docker, "/images/json", IMAGES)).flatMap(({ RepoTags, Size }) =>
    (RepoTags ?? []).filter((name) => !name.includes("<none>")).map((name) => ({ name, size: Size })),
  );

const ENGINE_VERSION = z.object({
  Version: z.string(),
  ApiVersion: z.string(),
  MinAPIVersion: z.string().optional(),
  Os: z.string(),
  Arch: z.string(),
});

export const readEngineVersion = (docker: Docker): Promise<z.infer<typeof ENGINE_VERSION>> =>
  engineGet(docker, "/version", ENGINE_VERSION);

const CLIENT_VERSION = z.object({
  Version: z.string(),
  /** The newest API version that it supports. */
  DefaultAPIVersion: z.string().optional(),
  /** The API version that it uses with this engine. */
  ApiVersion: z.string(),
});

/** The version of the docker command, which it also says if the engine refuses it. */
export async function readClientVersion(docker: Docker): Promise<z.infer<typeof CLIENT_VERSION>> {
  const args = ["version", "--format", "{{json .Client}}"];
  const result = await docker.attempt(args);
  if (result.stdout.trim() === "") throw dockerFailed(args, result);
  return checked(CLIENT_VERSION, "docker version", result.stdout);
}
