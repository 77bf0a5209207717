import { publicUrls } from "../config/resolve.js";
import { ExitCode, OperatorError } from "../errors.js";
import { hasDisplay, openInBrowser } from "../host/browser.js";
import { isInteractive } from "../terminal/chooseReporter.js";
import { readAndRender } from "./render.js";

export type Place = "registry" | "library" | "admin";

export interface OpenFlags {
  config: string;
  print?: boolean;
}

/** Prints an address of the stack, and opens it where there is a desktop and somebody who sees it. */
export async function open(place: Place, flags: OpenFlags): Promise<ExitCode> {
  const { config } = await readAndRender(flags.config, undefined);
  const { registry, ui, admin } = publicUrls(config);
  const url = { registry, library: ui, admin }[place];
  if (url === undefined) {
    throw new OperatorError(`there is no ${place}`, {
      where: flags.config,
      remedy: place === "library" ? "Set ui.enabled: true." : "Set ui.admin.enabled: true.",
      exitCode: ExitCode.config,
    });
  }
  process.stdout.write(`${url}\n`);
  if (flags.print || !isInteractive() || !hasDisplay(process.platform, process.env)) return ExitCode.ok;
  if (!(await openInBrowser(url))) process.stderr.write("There is no browser that could be opened.\n");
  return ExitCode.ok;
}
