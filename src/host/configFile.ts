import { readFile } from "node:fs/promises";
import { type LoadedConfig, loadConfig } from "../config/load.js";
import { ExitCode, OperatorError } from "../errors.js";

export const CONFIG_FILE = "hephaestus.yaml";

/**
 * Reads and checks a config file.
 *
 * @param file path as the person gave it
 * @throws OperatorError when there is no such file; ConfigError when it holds mistakes
 */
export const readConfig = async (file: string): Promise<LoadedConfig> =>
  loadConfig(await readConfigText(file), file, process.env);

/**
 * The text of a config file.
 *
 * @throws OperatorError when there is no such file
 */
export async function readConfigText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    throw new OperatorError(code === "ENOENT" ? "there is no config file" : `cannot be read (${code})`, {
      where: file,
      remedy:
        code === "ENOENT" ? "Write one with: hephaestus init" : "Check the file's kind and permissions.",
      exitCode: ExitCode.config,
      cause,
    });
  }
}
