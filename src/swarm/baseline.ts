import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { engineDelete, enginePost } from "../docker/engineApi.js";
import { isFinal } from "../docker/failures.js";
import type { Docker } from "../docker/run.js";
import type { OperatorError } from "../errors.js";
import { contentOf, writeConfig } from "./configs.js";
import { type ServiceSpec, type SwarmService, secretNamesOf, stackServices } from "./objects.js";
import { LABELS } from "./secrets.js";
import { removeStackConfig, stackConfigs } from "./stackConfigs.js";

/**
 * What ran before a deploy: the stored spec of each of the stack's services. `docker service rollback` knows
 * one spec only, the one before the last update, and a second attempt makes the broken spec of the first that
 * one. So what ran is recorded before a deploy touches anything, in the Swarm, where it outlives an
 * operator's machine, and removed when the deploy is done.
 */
export type Baseline = readonly ServiceSpec[];

const baselineName = (stack: string): string => `${stack}_baseline`;

/** The baseline of a deploy that did not finish; undefined if there is none. */
export async function readBaseline(docker: Docker, stack: string): Promise<Baseline | undefined> {
  const config = (await stackConfigs(docker, stack, baselineName(stack))).find(
    ({ Spec }) => Spec.Name === baselineName(stack),
  );
  return config && (JSON.parse(contentOf(config).toString("utf8")) as Baseline);
}

/** Records the current specs, and replaces an earlier record. */
export async function writeBaseline(docker: Docker, stack: string, baseline: Baseline): Promise<void> {
  await removeBaseline(docker, stack);
  const labels = { [LABELS.stack]: stack };
  await writeConfig(docker, { name: baselineName(stack), labels, content: JSON.stringify(baseline) });
}

/** Removes the record once the deploy has finished or was rolled back. */
export async function removeBaseline(docker: Docker, stack: string): Promise<void> {
  await removeStackConfig(docker, stack, baselineName(stack));
}

/**
 * Removes a record that names secrets which are gone: what a killed deploy has left is no way back any more.
 */
export async function removeBaselineOf(
  docker: Docker,
  stack: string,
  secrets: readonly string[],
): Promise<void> {
  const baseline = (await readBaseline(docker, stack)) ?? [];
  const named = secretNamesOf(baseline.map((Spec) => ({ Spec })));
  if (named.some((name) => secrets.includes(name))) await removeBaseline(docker, stack);
}

/** One change that restores the baseline. */
export type Restoration =
  | { action: "remove"; service: SwarmService }
  | { action: "create"; spec: ServiceSpec }
  | { action: "update"; service: SwarmService; spec: ServiceSpec };

/** The changes that restore exactly the baseline. Pure. */
function restorations(baseline: Baseline, now: readonly SwarmService[]): Restoration[] {
  const before = new Map(baseline.map((spec) => [spec.Name, spec]));
  const present = new Set(now.map(({ Spec }) => Spec.Name));
  return [
    ...now.flatMap((service): Restoration[] => {
      const spec = before.get(service.Spec.Name);
      if (spec === undefined) return [{ action: "remove", service }];
      return isDeepStrictEqual(spec, service.Spec) ? [] : [{ action: "update", service, spec }];
    }),
    ...baseline
      .filter(({ Name }) => !present.has(Name))
      .map((spec): Restoration => ({ action: "create", spec })),
  ];
}

/** Whether the stored specs are exactly the baseline. */
export const isRestored = async (docker: Docker, stack: string, baseline: Baseline): Promise<boolean> =>
  restorations(baseline, await stackServices(docker, stack)).length === 0;

/** Number of attempts: the engine may roll a service back at the same time. */
const ROUNDS = 5;

/**
 * Gives each service the spec of the baseline, and removes those that it does not have.
 *
 * @returns sentences about what could not be restored; empty if everything was
 */
export async function restoreBaseline(docker: Docker, stack: string, baseline: Baseline): Promise<string[]> {
  for (let round = 1; ; round++) {
    const open = restorations(baseline, await stackServices(docker, stack));
    if (open.length === 0) return [];
    const faults: string[] = [];
    for (const restoration of open) {
      const fault = await restore(docker, restoration);
      if (fault !== undefined) faults.push(fault);
    }
    if (round < ROUNDS) await sleep(1000);
    else return faults.length > 0 ? faults : ["the services do not keep the specs from before"];
  }
}

async function restore(docker: Docker, change: Restoration): Promise<string | undefined> {
  const name = change.action === "create" ? change.spec.Name : change.service.Spec.Name;
  try {
    if (change.action === "remove") await engineDelete(docker, `/services/${name}`);
    else if (change.action === "create") await enginePost(docker, "/services/create", change.spec);
    else await enginePost(docker, updatePath(change.service, change.spec), change.spec);
    return undefined;
  } catch (error) {
    if (isFinal(error)) throw error;
    return `${name}: ${(error as OperatorError).message}`;
  }
}

/**
 * Where the engine has the spec as the one before, it goes back by itself: that keeps the registry login that
 * the spec was deployed with, which the API never shows, so that tasks of that spec which still run stay.
 */
function updatePath({ ID, Version, PreviousSpec }: SwarmService, spec: ServiceSpec): string {
  const rollback = isDeepStrictEqual(PreviousSpec, spec) ? "&rollback=previous" : "";
  return `/services/${ID}/update?version=${Version.Index}${rollback}`;
}
