import { ExitCode, OperatorError } from "../errors.js";
import { proveLogin } from "../frontDoor/frontDoor.js";
import { type SwarmService, tasksOf } from "../swarm/objects.js";
import { keptBy, newestSettled, pullingServices, storeLogin } from "../swarm/storedLogins.js";
import { table } from "../terminal/table.js";
import { loginFrom, noPassword } from "./credentials.js";
import { type AddCommand, dryRunOption, noVerifyOption, userOptions } from "./options.js";
import { openUserSession } from "./session.js";

export const addLogins: AddCommand = (program, finish) => {
  const logins = program
    .command("logins")
    .description("list and renew the logins that services of the Swarm keep for this registry")
    .addHelpText("after", "\nExample:\n  hephaestus logins list");
  userOptions(logins.command("list"))
    .description("list the services whose image of this registry needs a login")
    .addHelpText("after", "\nExample:\n  hephaestus logins list --json")
    .action(async (flags) => {
      const session = await openUserSession(flags);
      const services = await pullingServices(session);
      const tasks = await tasksOf(session.docker, services);
      const found = services.map((service) => ({
        service: service.Spec.Name,
        image: service.Spec.TaskTemplate.ContainerSpec.Image.replace(/@sha256:.*/, ""),
        user: keptBy(service) ?? null,
        updated: service.UpdatedAt ?? null,
        task: newestSettled(tasks(service))?.Status.State ?? null,
      }));
      const rows = found.map(({ service, image, user, updated, task }) => [
        service,
        image,
        user ?? "unknown",
        updated?.replace(/\.\d+/, "") ?? "-",
        task ?? "none",
      ]);
      session.reporter.result(
        { services: found },
        found.length === 0
          ? ["No service of the Swarm needs a login for this registry."]
          : table(["SERVICE", "IMAGE", "LOGIN OF", "UPDATED", "NEWEST TASK"], rows),
      );
      finish(ExitCode.ok);
    });
  userOptions(logins.command("refresh [services...]"))
    .description("store the login of a user in services; their tasks keep running")
    .option("--user <name>", "user (default: REGISTRY_USERNAME, or credentials.username)")
    .option("--password-stdin", "read the password from standard input (default: REGISTRY_RAW_PASSWORD)")
    .addOption(noVerifyOption())
    .addOption(dryRunOption())
    .addHelpText(
      "after",
      "\nWithout services, those that keep a login of this user get this password. A service that was named here gets each new\npassword of its user from then on, when rotate-password makes one.\n\nExample:\n  hephaestus logins refresh --user ci --password-stdin shop_web shop_db < ci-password",
    )
    .action(async (names, flags) => {
      const session = await openUserSession(flags);
      const { reporter, config, options } = session;
      const login = await loginFrom(flags, config.credentials);
      if (login === undefined) throw noPassword("it is stored in the services");
      const services = chosen(await pullingServices(session), names, login.user);
      if (options.dryRun) {
        const would = services.map(({ Spec }) => Spec.Name);
        reporter.result({ would }, [`Would store the login of ${login.user} in ${would.join(", ")}.`]);
        return finish(ExitCode.ok);
      }
      await proveLogin(session, login);
      const stored = await storeLogin(session, services, login);
      reporter.result({ stored }, [
        `${stored.length} of ${services.length} services have the login of ${login.user}: ${stored.join(", ")}`,
      ]);
      finish(stored.length === services.length ? ExitCode.ok : ExitCode.rollout);
    });
};

/** The services that are named, or those that keep a login of the user. */
function chosen(
  pulling: readonly SwarmService[],
  names: readonly string[],
  user: string,
): readonly SwarmService[] {
  const others = names.filter((name) => pulling.every(({ Spec }) => Spec.Name !== name));
  if (others.length > 0)
    throw new OperatorError("needs no login for this registry, or does not exist", {
      where: others.join(", "),
      remedy: "See which do: hephaestus logins list",
      exitCode: ExitCode.usage,
    });
  const services = pulling.filter((service) =>
    names.length > 0 ? names.includes(service.Spec.Name) : keptBy(service) === user,
  );
  if (services.length > 0) return services;
  throw new OperatorError(`no service is known to keep a login of ${user}`, {
    where: "logins",
    remedy:
      "Name the services: hephaestus logins refresh --user USER SERVICE. See them: hephaestus logins list",
    exitCode: ExitCode.usage,
  });
}
