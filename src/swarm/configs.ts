import { z } from "zod";
import {
  engineCreate,
  engineFind,
  engineGet,
  engineRemove,
  type Filters,
  listPath,
} from "../docker/engineApi.js";
import type { Docker } from "../docker/run.js";
import { ExitCode, OperatorError } from "../errors.js";
import { LABELS_OF } from "./objects.js";

/**
 * Swarm configs: the files of the services, and what hephaestus keeps in the Swarm: lock, history, baseline,
 * markers.
 */

const CONFIG = z.object({
  ID: z.string(),
  Version: z.object({ Index: z.number() }),
  CreatedAt: z.string(),
  UpdatedAt: z.string(),
  Spec: z.object({ Name: z.string(), Labels: LABELS_OF, Data: z.string().optional() }),
});

export type SwarmConfig = z.infer<typeof CONFIG>;

export const listConfigs = (docker: Docker, filters: Filters): Promise<SwarmConfig[]> =>
  engineGet(docker, listPath("/configs", filters), z.array(CONFIG));

/** @param config its name or id */
export const findConfig = (docker: Docker, config: string): Promise<SwarmConfig | undefined> =>
  engineFind(docker, `/configs/${config}`, CONFIG);

export const contentOf = ({ Spec }: Pick<SwarmConfig, "Spec">): Buffer =>
  Buffer.from(Spec.Data ?? "", "base64");

/** A config to be created. */
export interface NewConfig {
  name: string;
  labels: Readonly<Record<string, string>>;
  /** It cannot be empty. */
  content: string | Uint8Array;
}

/** The content of a config of which only the name and the labels count. */
export const NO_CONTENT = "hephaestus\n";

/** @returns its id; undefined if its name is taken */
export const createConfig = (
  docker: Docker,
  { name, labels, content }: NewConfig,
): Promise<string | undefined> =>
  engineCreate(docker, "/configs/create", {
    Name: name,
    Labels: labels,
    Data: Buffer.from(content).toString("base64"),
  });

/** The same. @throws OperatorError when its name is taken */
export async function writeConfig(docker: Docker, config: NewConfig): Promise<void> {
  if ((await createConfig(docker, config)) !== undefined) return;
  throw new OperatorError("a config has this name already", {
    where: config.name,
    remedy: `See what it is with: docker config inspect ${config.name}. If nobody needs it, remove it, and run the same command again.`,
    exitCode: ExitCode.docker,
  });
}

/** Removes a config if no service uses it. @param config its name or id @returns whether it is gone */
export const removeConfig = (docker: Docker, config: string): Promise<boolean> =>
  engineRemove(docker, `/configs/${config}`);
