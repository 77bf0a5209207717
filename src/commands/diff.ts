import { differenceLines } from "../diff/differenceLines.js";
import { serviceDifferences } from "../diff/serviceDifferences.js";
import { judgeFiles } from "../doctor/configChecks.js";
import { judgeInternalNetwork } from "../doctor/networkChecks.js";
import { ExitCode } from "../errors.js";
import { readFrom } from "../host/files.js";
import { compare } from "../render/compare.js";
import { internalNetworkName, readNetwork } from "../swarm/internalNetwork.js";
import { noteFindings } from "../terminal/showFindings.js";
import { bringing, planUsers } from "../users/planUsers.js";
import { credentialsFromEnvironment } from "./credentials.js";
import { type AddCommand, outputOption, stackOptions } from "./options.js";
import { openSession } from "./session.js";

export const addDiff: AddCommand = (program, finish) => {
  stackOptions(program.command("diff"))
    .description(
      "show what deploy would change in the Swarm, service by service; exit 1 if anything would change",
    )
    .addOption(outputOption())
    .addHelpText(
      "after",
      "\nThe config is compared with the running services, so changes that were made by hand show up too. Passwords in the\nenvironment are taken into account, as in deploy.\n\nExample:\n  hephaestus diff",
    )
    .action(async (flags) => {
      const session = await openSession({ ...flags, dryRun: true });
      const { config, docker, reporter } = session;
      const given = credentialsFromEnvironment(config.credentials, process.env);
      const { plan, findings } = await planUsers(session, bringing(given));
      const network = await readNetwork(docker, internalNetworkName(config));
      const files = compare(session.files, readFrom(session.options.folder));
      const stale = files.filter(({ state }) => state !== "current").map(({ path }) => path);
      noteFindings(reporter, [...findings, ...judgeInternalNetwork(config, network), ...judgeFiles(files)]);
      const differences = await serviceDifferences(session, plan.generations);
      reporter.result(
        { differences, stale },
        differences.length === 0 ? ["nothing would change"] : differenceLines(differences),
      );
      finish(differences.length === 0 ? ExitCode.ok : ExitCode.stale);
    });
};
