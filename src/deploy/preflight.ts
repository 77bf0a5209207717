import { type Endpoint, readEndpoint } from "../docker/endpoint.js";
import { PREFLIGHT_CHECKS } from "../doctor/allChecks.js";
import { EXAMINATION_KINDS, evidenceOf, examine } from "../doctor/examine.js";
import { factsOf } from "../doctor/facts.js";
import { ExitCode, OperatorError } from "../errors.js";
import type { Finding } from "../finding.js";
import { chooseOperatorSecrets } from "../secrets/operatorSecrets.js";
import type { SecretsPlan } from "../secrets/secretsPlan.js";
import type { Session } from "../session.js";
import { runningStorage } from "../storage/runningStorage.js";
import { fittingNodes, type SwarmFacts } from "../swarm/swarmFacts.js";
import { inStep } from "../terminal/inStep.js";
import { reportFindings } from "../terminal/showFindings.js";
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
      const facts = factsOf({ ...session, warnings: [], folder: session.options.folder });
      const { findings } = await examine(PREFLIGHT_CHECKS, facts, true);
      // If Docker does not answer, a check has said so.
      const swarm = await facts.swarm().catch(() => undefined);
      const planned = swarm?.isManager
        ? await planDeploy(session, swarm, wishes).catch(asObstacle)
        : undefined;
      reportFindings(session.reporter, [...findings.map(blocking), ...(planned?.findings ?? [])]);
      if (planned?.plan === undefined) throw new Error("preflight found neither a plan nor an obstacle");
      return { plan: planned.plan, version: swarm?.serverVersion };
    },
    ({ version }) => `Docker Engine ${version}, Swarm manager`,
  );
  return plan;
}

/** What cannot be checked could be an obstacle. */
const blocking = (finding: Finding): Finding =>
  finding.code === "not-checked" ? { ...finding, severity: "error" } : finding;

interface Planned {
  plan?: DeployPlan;
  findings: Finding[];
}

/** Plans a deploy from what the Swarm has. */
async function planDeploy(session: Session, facts: SwarmFacts, wishes: UserWishes): Promise<Planned> {
  const { docker, options } = session;
  const host = options.hostSetup ? await chooseHost(session, facts, await readEndpoint(docker)) : {};
  const users = await planUsers(session, wishes);
  const operator = await chooseOperatorSecrets(session, users.plan.found);
  const secrets = {
    ...users.plan,
    generations: { ...users.plan.generations, ...operator.generations },
    given: operator.secrets,
  };
  return { plan: { secrets, host }, findings: [...users.findings, ...operator.findings] };
}

/** An obstacle for the plan is reported with the others. Other errors are thrown. */
function asObstacle(error: unknown): Planned {
  if (!(error instanceof OperatorError) || error.exitCode !== ExitCode.preflight) throw error;
  const { evidence, remedy = "" } = evidenceOf(error);
  return { findings: [EXAMINATION_KINDS.found("not-planned", { advice: remedy }, evidence)] };
}

/**
 * Chooses how the node of the storage is prepared: on this machine, over ssh, or by a Swarm job. The node is
 * the one of the registry that runs, or else the one that fits.
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
