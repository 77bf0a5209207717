import { parse } from "yaml";
import { type ComposeFile, FileMode } from "../../src/services/composeModel.js";

/** What `docker stack config` printed of a compose file, as a model. What has no settings is null there. */
export const dockersReading = (text: string): ComposeFile =>
  parse(text, (key, value) => {
    if (value === null) return {};
    return key === "mode" && typeof value === "number" ? new FileMode(value) : value;
  }) as ComposeFile;
