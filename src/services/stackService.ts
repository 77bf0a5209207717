import type { RenderedFile } from "../render/renderedFile.js";
import type { Templates } from "../render/templates.js";
import type { Service } from "./composeModel.js";

/** One service of the stack: what it runs, and the files that it brings. */
export interface StackService {
  service: Service;
  /** The files that become Swarm configs, by the names with which services mount them. */
  files: (texts: Texts) => Readonly<Record<string, RenderedFile>>;
}

/** What files are made of, beside the config. */
export interface Texts {
  templates: Templates;
  /** The first line of each file. */
  header: string;
  /** Name of the config file. */
  source: string;
}
