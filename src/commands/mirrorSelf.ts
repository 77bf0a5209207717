import { withValue } from "../config/editable.js";
import { loadConfig } from "../config/load.js";
import { type Config, publicUrls } from "../config/resolve.js";
import { ExitCode, OperatorError } from "../errors.js";
import { readConfigText } from "../host/configFile.js";
import { missingOwnImages } from "../mirror/ownImages.js";
import { stackRegistry } from "../registry/stackRegistry.js";
import { interruptionSignal } from "../terminal/interruption.js";
import { print } from "../terminal/output.js";
import { applyEdit, type ConfigEditFlags } from "./configEdit.js";
import { type LoginFlags, loginFrom } from "./credentials.js";

export interface MirrorSelfFlags extends ConfigEditFlags, LoginFlags {
  /** Whether deploy takes the images from here. */
  use?: boolean;
  /** Whether they are no longer mirrored. */
  off?: boolean;
}

/** Sets `regsync.self` in the config file; with --use only where all of the stack's images are here. */
export async function mirrorSelf(flags: MirrorSelfFlags): Promise<ExitCode> {
  const source = await readConfigText(flags.config);
  const { config } = loadConfig(source, flags.config, process.env);
  const value = flags.off ? "off" : flags.use ? "use" : "mirror";
  if (config.regsync.self === value) {
    print(`regsync.self is ${value} already`);
    return ExitCode.ok;
  }
  if (value === "use") await requireImages(config, flags);
  const text = withValue(source, ["regsync", "self"], value);
  if (text === undefined)
    throw new OperatorError("cannot be edited here", {
      where: `${flags.config}: regsync`,
      remedy: `Write self: ${value} into regsync by hand.`,
      exitCode: ExitCode.config,
    });
  if (await applyEdit(source, text, flags)) print(NEXT[value]);
  return ExitCode.ok;
}

const NEXT = {
  off: "Next: hephaestus render && hephaestus deploy",
  mirror:
    "Next: hephaestus render && hephaestus deploy. When hephaestus mirror status is fine: hephaestus mirror self --use",
  use: "Next: hephaestus render && hephaestus deploy\nThe way back to the other registries: hephaestus mirror self",
} as const;

/** @throws OperatorError where an image of the stack is not here */
async function requireImages(config: Config, flags: LoginFlags): Promise<void> {
  const login = await loginFrom(flags, config.credentials);
  const api = stackRegistry({ config, signal: interruptionSignal() }, login);
  const missing = await missingOwnImages(config, api);
  if (missing.length === 0) return;
  throw new OperatorError(`${missing.join(", ")}: not here yet`, {
    where: publicUrls(config).registry,
    remedy: "Copy them first: hephaestus mirror self, then deploy and run hephaestus mirror run self",
    exitCode: ExitCode.preflight,
  });
}
