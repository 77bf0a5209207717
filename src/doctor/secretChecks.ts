import { generationsIn, HTPASSWD, type SecretKind } from "../credentials/secretKinds.js";
import { error, type Finding, findingKinds, warning } from "../finding.js";
import type { SecretReport } from "../secrets/secretsReport.js";
import { secretsOf } from "../stack.js";
import type { SwarmService } from "../swarm/objects.js";
import type { Checks } from "./check.js";

const kinds = findingKinds("Passwords and access", {
  "registry-without-passwords": error(
    "{service} runs without an htpasswd",
    "Restore it with: hephaestus deploy",
  ),
  "registry-auth-overridden": error(
    "the registry's environment overrides who may log in",
    "Remove the variables with: hephaestus deploy",
  ),
  "secret-missing": error("{service} has no secret {kind}", "Restore it with: hephaestus deploy"),
  "secret-older": warning(
    "{service} has an older {kind} than there is",
    "A change of passwords was interrupted. Run hephaestus deploy, which completes it or rolls it back.",
  ),
  "secret-left": warning("secrets are left over", "Remove them with: hephaestus secrets prune"),
});
const { found } = kinds;

/**
 * The secrets that the services have, and those that nobody has.
 *
 * @param wanted kinds of secrets by service, without the stack's name
 */
export function judgeSecretUse(
  stack: string,
  wanted: Readonly<Record<string, readonly SecretKind[]>>,
  services: readonly SwarmService[],
  reports: readonly SecretReport[],
): Finding[] {
  const findings: Finding[] = [];
  const used: Partial<Record<SecretKind, number>> = {};
  const existing = reports.map(({ name }) => name);
  const pairs = Object.entries(wanted).flatMap(([service, list]) => list.map((kind) => ({ service, kind })));
  for (const { service, kind } of pairs) {
    const running = services.find(({ Spec }) => Spec.Name === `${stack}_${service}`);
    if (!running) continue;
    const names = running.Spec.TaskTemplate.ContainerSpec.Secrets?.map(({ SecretName }) => SecretName) ?? [];
    const has = generationsIn(stack, kind, names).at(-1);
    const newest = generationsIn(stack, kind, existing).at(-1);
    if (has === undefined) {
      const code = kind === HTPASSWD ? "registry-without-passwords" : "secret-missing";
      findings.push(found(code, { service, kind }, `its secrets: ${names.join(", ") || "none"}`));
      continue;
    }
    used[kind] = Math.max(used[kind] ?? 0, has);
    if (newest !== undefined && newest > has)
      findings.push(
        found("secret-older", { service, kind }, `it has generation ${has}, and ${newest} exists`),
      );
  }
  // Newer ones were reported above.
  const left = reports.filter(
    ({ state, kind, generation }) => state === "orphan" && generation < (used[kind] ?? Infinity),
  );
  if (left.length === 0) return findings;
  const evidence = `no service uses ${left.map(({ name }) => name).join(", ")}, and no deploy would`;
  return [...findings, found("secret-left", {}, evidence)];
}

/** Variables that would change who may write, or whether a login is asked for. */
export function judgeRegistryEnvironment(service: SwarmService | undefined): Finding[] {
  const names = (service?.Spec.TaskTemplate.ContainerSpec.Env ?? [])
    .map((line) => line.replace(/=.*$/s, ""))
    .filter((name) => name.startsWith("REGISTRY_AUTH"));
  if (names.length === 0) return [];
  return [found("registry-auth-overridden", {}, `${service?.Spec.Name} has ${names.join(", ")}`)];
}

export const secretChecks: Checks = {
  kinds: [kinds],
  checks: [
    {
      title: "secrets of the services",
      needs: "manager",
      // During a rotation there are two generations.
      onlyAtRest: true,
      run: async ({ config, bareServices, secretReports }) =>
        judgeSecretUse(config.stack, secretsOf(config), await bareServices(), await secretReports()),
    },
    {
      title: "authentication of the registry",
      needs: "manager",
      run: async ({ service }) => judgeRegistryEnvironment(await service("registry")),
    },
  ],
};
