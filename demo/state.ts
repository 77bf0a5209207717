/** What the demo made, so that `--down` in another process removes just that. */
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { CHECKOUT } from "../test/support/checkout.js";

export const FOLDER = `${CHECKOUT}.demo`;
export const STACK_FOLDER = `${FOLDER}/stack`;
export const CACHE = `${FOLDER}/cache`;
export const STACK = "hephaestus-demo";
export const USER = "smith";

const STATE = `${FOLDER}/state.json`;
export const PASSWORD_FILE = `${FOLDER}/password`;

export interface DemoState {
  /** Folder of the engine that the demo started, when it did. */
  engine?: string;
  /** Its DOCKER_HOST. */
  dockerHost?: string;
  /** Whether the demo started the Swarm. */
  swarm?: boolean;
  /** Images that the demo built, tagged or pulled. */
  images: string[];
}

export async function readState(): Promise<DemoState> {
  try {
    return JSON.parse(await readFile(STATE, "utf8")) as DemoState;
  } catch {
    return { images: [] };
  }
}

export async function writeState(state: DemoState): Promise<void> {
  await mkdir(FOLDER, { recursive: true });
  await writeFile(STATE, JSON.stringify(state, null, 2));
}

/** The password of the demo's user; made once, kept with mode 0600 in the git-ignored folder. */
export async function demoPassword(make: () => string): Promise<string> {
  try {
    return await readFile(PASSWORD_FILE, "utf8");
  } catch {
    const password = make();
    await writeFile(PASSWORD_FILE, password, { mode: 0o600 });
    return password;
  }
}

export const removeFolder = () => rm(FOLDER, { recursive: true, force: true });
