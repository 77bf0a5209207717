import { staleFiles } from "../deploy/preflight.js";
import { differenceLines } from "../diff/differenceLines.js";
import { serviceDifferences } from "../diff/serviceDifferences.js";
import { ExitCode } from "../errors.js";
import { internalNetworkName, judgeInternalNetwork, readNetwork } from "../operation/internalNetwork.js";
import { chooseGenerations } from "../users/generations.js";
import { credentialsFromEnvironment } from "./credentials.js";
import { openSession, type SessionFlags } from "./session.js";

export type DiffFlags = Omit<SessionFlags, "timeout" | "verify" | "dryRun">;

/** Shows what a deploy would change against what runs; exits 1 when that is something. */
export async function diff(flags: DiffFlags): Promise<ExitCode> {
  const session = await openSession({ ...flags, timeout: 60, verify: false, dryRun: true });
  const given = credentialsFromEnvironment(session.context.config.credentials, process.env);
  const context = { ...session.context, given };
  const { config, docker, reporter } = context;
  const network = await readNetwork(docker, internalNetworkName(config));
  for (const { message, remedy } of [
    ...(await chooseGenerations(context)),
    ...judgeInternalNetwork(config, network),
  ])
    reporter.note("warning", `${message}\n    ${remedy}`);
  const differences = await serviceDifferences(context);
  const stale = staleFiles(context);
  if (stale.length > 0) {
    reporter.note(
      "warning",
      `${stale.join(", ")}: stale; diff compares what the config renders to\n    Write them with: hephaestus render`,
    );
  }
  reporter.result(
    { differences, stale },
    differences.length === 0 ? ["nothing would change"] : differenceLines(differences),
  );
  return differences.length === 0 ? ExitCode.ok : ExitCode.stale;
}
