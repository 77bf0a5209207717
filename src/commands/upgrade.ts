import { planUpgrade, type UpgradePlan } from "../config/imageUpgrade.js";
import { loadConfig } from "../config/load.js";
import { ExitCode } from "../errors.js";
import { readConfigText } from "../host/configFile.js";
import { print } from "../terminal/output.js";
import { applyEdit, type ConfigEditFlags } from "./configEdit.js";
import { type AddCommand, editOptions } from "./options.js";

export const addUpgrade: AddCommand = (program, finish) => {
  editOptions(program.command("upgrade"))
    .description("update the images in the config file to newer tested versions; comments and order are kept")
    .option("--major", "also update from registry 2.x to 3.x")
    .addHelpText(
      "after",
      "\nImages that the file does not set, that are pinned by digest, or that are unknown are not changed. Only with --major,\na file that does not set registry.image gets one of line 3.\n\nExample:\n  hephaestus upgrade --dry-run",
    )
    .action(async (options) => finish(await upgrade(options)));
};

export interface UpgradeFlags extends ConfigEditFlags {
  major?: boolean;
}

/** Puts newer known-good versions of the images into the config file. */
export async function upgrade(flags: UpgradeFlags): Promise<ExitCode> {
  const source = await readConfigText(flags.config);
  loadConfig(source, flags.config, process.env);
  const plan = planUpgrade(source, flags.major ?? false);
  for (const line of planLines(plan)) print(line);
  if (plan.upgrades.length === 0) {
    print("nothing to upgrade");
    return ExitCode.ok;
  }
  print("");
  if (await applyEdit(source, plan.text, flags)) {
    print(
      "Next: hephaestus render && hephaestus deploy\nNew tasks start before the old ones stop, if both fit on the node. If they do not become healthy, the rollout is rolled back.",
    );
  }
  return ExitCode.ok;
}

function planLines({ upgrades, left }: UpgradePlan): string[] {
  return [
    ...upgrades.flatMap(({ path, from, to, versions }) => [
      `${path}: ${from} -> ${to}`,
      ...versions.flatMap(({ version, date, note, mind }) => [
        `    ${version} (${date}): ${note}`,
        ...(mind === undefined ? [] : [`    To mind: ${mind}`]),
      ]),
    ]),
    ...left.map(({ path, image, reason }) => `${path}: ${image} stays: it ${reason}`),
  ];
}
