import type { Docker } from "../docker/run.js";
import { hasMirror } from "../services/mirrorSources.js";
import type { Session } from "../session.js";
import { type SwarmTask, serviceTasks, stackService, stackServices, updateTasks } from "../swarm/objects.js";
import { inStep, skipped } from "../terminal/inStep.js";

/**
 * Restarts the mirror if it started before the services that it pushes to: regsync looks for missing images
 * when it starts, and then at its intervals. Source: regclient, cmd/regsync/root.go, runServer.
 */
export async function restartMirror({ config, docker, options, reporter }: Session): Promise<void> {
  if (!hasMirror(config)) return;
  const { stack } = config;
  await inStep(reporter, { id: "mirror", title: "Mirror" }, async () => {
    if (!options.wait) return skipped("the rollout was not waited for");
    const mirror = `${stack}_mirror`;
    const begun = (await runningTasks(docker, mirror)).map(({ CreatedAt }) => Date.parse(CreatedAt));
    const tasks = [
      ...(await runningTasks(docker, `${stack}_gateway`)),
      ...(await runningTasks(docker, `${stack}_registry`)),
    ];
    const ready = tasks.map(({ Status }) => Date.parse(Status.Timestamp ?? ""));
    if (begun.every((time) => ready.every((other) => time > other)))
      return "began after registry and gateway";
    const service = stackService(await stackServices(docker, stack), stack, "mirror");
    if (service === undefined) return "is not deployed";
    const { ForceUpdate = 0 } = service.Spec.TaskTemplate;
    await updateTasks(docker, service, { ForceUpdate: ForceUpdate + 1 });
    return "restarted, since registry and gateway are ready now";
  });
}

const runningTasks = async (docker: Docker, service: string): Promise<SwarmTask[]> =>
  (await serviceTasks(docker, service)).filter(({ Status }) => Status.State === "running");
