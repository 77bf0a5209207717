import { ExitCode } from "../errors.js";
import { runGc } from "../maintenance/runGc.js";
import { bytesText } from "../terminal/progress.js";
import { type AddCommand, dryRunOption, jobTimeoutOption, stackOptions } from "./options.js";
import { openSession } from "./session.js";

export const addGc: AddCommand = (program, finish) => {
  stackOptions(program.command("gc"))
    .description("free the space of blobs that no image needs; pulls continue, pushes are refused meanwhile")
    .option("--delete-untagged", "first delete manifests without a tag")
    .addOption(dryRunOption())
    .addOption(jobTimeoutOption("the gc"))
    .addHelpText(
      "after",
      "\nUploads in progress may finish first, for at most 15 minutes. Pushes are accepted again afterwards, even if gc\nfails.\n\nExample:\n  hephaestus gc --dry-run",
    )
    .action(async (flags) => {
      const session = await openSession(flags);
      const { deleteUntagged = false, dryRun = false } = flags;
      const freed = await runGc(session, { deleteUntagged, dryRun });
      const { blobs, bytes, untagged } = freed;
      const amount = bytes === undefined ? "" : `${bytesText(bytes)} in `;
      session.reporter.result({ ...freed, dryRun }, [
        ...untagged.map((name) => `${dryRun ? "would go" : "gone"}  ${name}`),
        `${dryRun ? "would free" : "freed"} ${amount}${blobs} ${blobs === 1 ? "blob" : "blobs"}`,
      ]);
      finish(ExitCode.ok);
    });
};
