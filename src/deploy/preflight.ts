import { readEndpoint } from "../docker/endpoint.js";
import { allServices } from "../docker/objects.js";
import { ExitCode, OperatorError } from "../errors.js";
import { readerOf } from "../host/files.js";
import { kernelHasIpvs } from "../host/kernel.js";
import { judgeOwnImages } from "../mirror/ownImages.js";
import type { DeployContext, Step } from "../operation/context.js";
import { type PreflightFinding, reportFindings } from "../operation/findings.js";
import { judgeNamespace, readForeign } from "../operation/ownership.js";
import { fittingNodes, judgeSwarm, readSwarmFacts, type SwarmFacts } from "../operation/swarmFacts.js";
import { readTimeout } from "../operation/traefikService.js";
import { compare } from "../render/compare.js";
import { runningStorage } from "../storage/runningStorage.js";
import { chooseGenerations } from "../users/generations.js";
import { chooseGivenSecrets } from "../users/givenSecretSteps.js";
import { chooseStorageKeys } from "../users/storageKeySteps.js";

/** Checks everything that could prevent the deploy before anything is changed, and reports all problems at once. */
export const preflight: Step = {
  id: "preflight",
  title: "Preflight",
  async run(context) {
    const { config, docker } = context;
    const findings = judgeFiles(context);
    let version = "";
    try {
      const { host: endpoint, isLocal } = await readEndpoint(docker);
      const facts = await readSwarmFacts(docker, config, isLocal ? kernelHasIpvs() : undefined);
      version = facts.serverVersion;
      findings.push(...judgeSwarm(config, facts));
      if (context.options.hostSetup && facts.isManager) await chooseHost(context, facts, endpoint, isLocal);
      if (facts.isManager) {
        findings.push(...judgeNamespace(config.stack, await readForeign(docker, config.stack)));
        findings.push(...(await chooseGenerations(context)));
        findings.push(...(await chooseStorageKeys(context)));
        findings.push(...(await chooseGivenSecrets(context)));
        findings.push(...(await judgeOwnImages(config, context.signal)));
        const { finding } = readTimeout(config, await allServices(docker));
        if (finding) findings.push(finding);
      }
    } catch (error) {
      findings.push(asObstacle(error));
    }
    reportFindings(context, findings);
    return `Docker Engine ${version}, Swarm manager`;
  },
};

/** An engine that does not answer is reported with the other obstacles. Other errors are thrown. */
function asObstacle(error: unknown): PreflightFinding {
  if (!(error instanceof OperatorError) || error.exitCode !== ExitCode.preflight) throw error;
  return {
    severity: "error",
    message: `${error.where ?? "docker"}: ${error.message}`,
    remedy: error.remedy ?? "",
  };
}

/** Paths of rendered files that are missing or stale on disk. */
export const staleFiles = ({ files, options }: Pick<DeployContext, "files" | "options">): string[] =>
  compare(files, readerOf(options.folder))
    .filter(({ state }) => state !== "current")
    .map(({ path }) => path);

/** People review and commit the files on disk, so they have to match the config. */
function judgeFiles(context: DeployContext): PreflightFinding[] {
  const stale = staleFiles(context);
  if (stale.length === 0) return [];
  return [
    {
      severity: "error",
      message: `${stale.join(", ")}: not what the config renders to`,
      remedy: "See the difference with: hephaestus render --diff, then write it with: hephaestus render",
    },
  ];
}

/**
 * Chooses how the node of the storage is prepared: on this machine, over ssh, or by a Swarm job. The node is that of the
 * registry that runs, or else the one that fits.
 */
async function chooseHost(
  context: DeployContext,
  facts: SwarmFacts,
  endpoint: string,
  isLocal: boolean,
): Promise<void> {
  const { config, docker, options } = context;
  if (options.host !== undefined) return;
  const fitting = fittingNodes(config, facts);
  const running = fitting.length > 1 ? await runningStorage(docker, config.stack) : undefined;
  const chosen =
    fitting.find(({ id }) => running?.driver === "filesystem" && id === running.node.id) ?? fitting[0];
  if (chosen === undefined) return;
  const ofEngine = chosen.id === facts.nodeId;
  if (ofEngine && isLocal) return;
  // As it is: ssh takes the address with its user and its port.
  if (ofEngine && endpoint.startsWith("ssh://")) context.host = endpoint.replace(/^(ssh:\/\/[^/]*).*$/, "$1");
  else context.storageHost = chosen;
}
