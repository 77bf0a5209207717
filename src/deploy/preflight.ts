import { type Endpoint, readEndpoint } from "../docker/endpoint.js";
import { listServices } from "../docker/objects.js";
import { ExitCode, OperatorError } from "../errors.js";
import { readFrom } from "../host/files.js";
import { kernelHasIpvs } from "../host/kernel.js";
import { judgeOwnImages } from "../mirror/ownImages.js";
import { type Problem, reportProblems } from "../operation/findings.js";
import { judgeNamespace, readForeign } from "../operation/ownership.js";
import type { Session } from "../operation/stackSession.js";
import { fittingNodes, judgeSwarm, readSwarmFacts, type SwarmFacts } from "../operation/swarmFacts.js";
import { readTimeout } from "../operation/traefikService.js";
import { compare } from "../render/compare.js";
import { chooseOperatorSecrets } from "../secrets/operatorSecrets.js";
import type { SecretsPlan } from "../secrets/secretsPlan.js";
import { runningStorage } from "../storage/runningStorage.js";
import { inStep } from "../terminal/inStep.js";
import { planUsers, type UserWishes } from "../users/planUsers.js";
import type { StorageHost } from "./prepareHost.js";

/** What a deploy will do. */
export interface DeployPlan {
  readonly secrets: SecretsPlan;
  readonly host: StorageHost;
}

/**
 * Checks everything that could prevent the deploy before anything is changed, and plans it.
 *
 * @throws OperatorError with all obstacles at once
 */
export async function preflight(session: Session, wishes: UserWishes): Promise<DeployPlan> {
  const { plan } = await inStep(
    session.reporter,
    { id: "preflight", title: "Preflight" },
    async () => {
      const problems = judgeFiles(session);
      const looked = await lookAtSwarm(session, wishes, problems).catch((error: unknown) => {
        problems.push(asObstacle(error));
        return undefined;
      });
      reportProblems(session.reporter, problems);
      if (looked?.plan === undefined) throw new Error("preflight found neither a plan nor an obstacle");
      return { plan: looked.plan, version: looked.version };
    },
    ({ version }) => `Docker Engine ${version}, Swarm manager`,
  );
  return plan;
}

/**
 * Plans a deploy from what the Swarm has.
 *
 * @param problems gets what is found
 * @returns no plan if this engine is no manager, which is one of the problems
 */
async function lookAtSwarm(
  session: Session,
  wishes: UserWishes,
  problems: Problem[],
): Promise<{ version: string; plan: DeployPlan | undefined }> {
  const { config, docker, options, signal } = session;
  const endpoint = await readEndpoint(docker);
  const facts = await readSwarmFacts(docker, config, endpoint.isLocal ? kernelHasIpvs() : undefined);
  problems.push(...judgeSwarm(config, facts));
  const version = facts.serverVersion;
  if (!facts.isManager) return { version, plan: undefined };
  const host = options.hostSetup ? await chooseHost(session, facts, endpoint) : {};
  problems.push(...judgeNamespace(config.stack, await readForeign(docker, config.stack)));
  const users = await planUsers(session, wishes);
  problems.push(...users.problems);
  const operator = await chooseOperatorSecrets(session, users.plan.found);
  problems.push(...operator.problems);
  problems.push(...(await judgeOwnImages(config, signal)));
  const { finding } = readTimeout(config, await listServices(docker));
  if (finding) problems.push(finding);
  const secrets = {
    ...users.plan,
    generations: { ...users.plan.generations, ...operator.generations },
    given: operator.secrets,
  };
  return { version, plan: { secrets, host } };
}

/** An engine that does not answer is reported with the other obstacles. Other errors are thrown. */
function asObstacle(error: unknown): Problem {
  if (!(error instanceof OperatorError) || error.exitCode !== ExitCode.preflight) throw error;
  return {
    severity: "error",
    message: `${error.where ?? "docker"}: ${error.message}`,
    remedy: error.remedy ?? "",
  };
}

/** Paths of rendered files that are missing or stale on disk. */
export const staleFiles = ({ files, options }: Pick<Session, "files" | "options">): string[] =>
  compare(files, readFrom(options.folder))
    .filter(({ state }) => state !== "current")
    .map(({ path }) => path);

/** People review and commit the files on disk, so they have to match the config. */
function judgeFiles(session: Session): Problem[] {
  const stale = staleFiles(session);
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
  { config, docker, options }: Session,
  facts: SwarmFacts,
  { host: endpoint, isLocal }: Endpoint,
): Promise<StorageHost> {
  if (options.host !== undefined) return { address: options.host };
  const fitting = fittingNodes(config, facts);
  const running = fitting.length > 1 ? await runningStorage(docker, config.stack) : undefined;
  const chosen =
    fitting.find(({ id }) => running?.driver === "filesystem" && id === running.node.id) ?? fitting[0];
  if (chosen === undefined) return {};
  const ofEngine = chosen.id === facts.nodeId;
  if (ofEngine && isLocal) return {};
  // As it is: ssh takes the address with its user and its port.
  return ofEngine && endpoint.startsWith("ssh://")
    ? { address: endpoint.replace(/^(ssh:\/\/[^/]*).*$/, "$1") }
    : { node: chosen };
}
