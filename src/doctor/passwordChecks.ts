import { daysBetween } from "../credentials/dates.js";
import { generationsIn, HTPASSWD, type SecretKind } from "../credentials/secretKinds.js";
import type { SwarmService } from "../docker/objects.js";
import type { SecretFacts } from "../docker/swarmSecrets.js";
import type { SecretReport } from "../secrets/secretsReport.js";
import { secretsOf } from "../stack.js";
import { judgeAges, judgeUserNames } from "../users/judgeUsers.js";
import type { Check } from "./check.js";
import { error, type Finding, warning } from "./finding.js";

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
  for (const [name, kinds] of Object.entries(wanted)) {
    const service = services.find(({ Spec }) => Spec.Name === `${stack}_${name}`);
    if (!service) continue;
    const names = service.Spec.TaskTemplate.ContainerSpec.Secrets?.map(({ SecretName }) => SecretName) ?? [];
    for (const kind of kinds) {
      const has = generationsIn(stack, kind, names).at(-1);
      if (has === undefined) {
        findings.push(noSecret(name, kind, names));
        continue;
      }
      used[kind] = Math.max(used[kind] ?? 0, has);
      const newest = generationsIn(
        stack,
        kind,
        reports.map((report) => report.name),
      ).at(-1);
      if (newest === undefined || newest <= has) continue;
      findings.push(
        warning(
          "secret-older",
          `${name} has an older ${kind} than there is`,
          `it has generation ${has}, and ${newest} exists`,
          "A change of passwords was interrupted. Run hephaestus deploy, which completes it or rolls it back.",
        ),
      );
    }
  }
  // Newer ones were told of above.
  const left = reports.filter(
    ({ state, kind, generation }) => state === "orphan" && generation < (used[kind] ?? Infinity),
  );
  if (left.length > 0) {
    findings.push(
      warning(
        "secret-left",
        left.length === 1 ? "a secret is left over" : `${left.length} secrets are left over`,
        `no service uses ${left.map(({ name }) => name).join(", ")}, and no deploy would`,
        "Remove them with: hephaestus secrets prune",
      ),
    );
  }
  return findings;
}

function noSecret(service: string, kind: SecretKind, names: readonly string[]): Finding {
  const evidence = `its secrets: ${names.join(", ") || "none"}`;
  const remedy = "Restore it with: hephaestus deploy";
  return kind === HTPASSWD
    ? error("registry-without-passwords", `${service} runs without an htpasswd`, evidence, remedy)
    : error("secret-missing", `${service} has no secret ${kind}`, evidence, remedy);
}

/**
 * Whether somebody knows the passwords in use.
 *
 * @param unseen users whose generated passwords nobody was shown
 */
export function judgeHandOver(facts: SecretFacts | undefined, unseen: readonly string[]): Finding[] {
  if (facts === undefined || unseen.length === 0) return [];
  return [
    error(
      "password-never-shown",
      `nobody was shown the password of ${unseen.join(", ")}, which is in use`,
      `labels of ${facts.name} say that it was generated, and no marker says that it was handed over`,
      `If nobody knows it, set a new one: hephaestus rotate-password --user ${unseen[0]}`,
    ),
  ];
}

/** Passwords that are older than the config wants. */
const judgeAge = (maxAge: string | undefined, facts: SecretFacts | undefined, now: Date): Finding[] =>
  judgeAges(maxAge, facts, now).map((finding) => ({
    ...finding,
    id: "password-old",
    evidence: `labels of ${facts?.name}`,
  }));

/** Days before the end of a user from which doctor and status say so. */
const END_DAYS = 14;

/** Users that have ended, or end soon. */
export function judgeEnds(facts: SecretFacts | undefined, now: Date): Finding[] {
  return [...(facts?.ends ?? [])].flatMap(([user, day]) => {
    const days = -daysBetween(new Date(day), now);
    if (days > END_DAYS) return [];
    const evidence = `labels of ${facts?.name}`;
    const remedy = `Change it with: hephaestus user update ${user} --until DAY. Or remove the user: hephaestus user remove ${user}`;
    return days <= 0
      ? [warning("user-ended", `${user} ended on ${day} and is refused`, evidence, remedy)]
      : [
          warning(
            "user-ends-soon",
            `${user} ends on ${day}, in ${days} ${days === 1 ? "day" : "days"}`,
            evidence,
            remedy,
          ),
        ];
  });
}

/** Variables that would change who may write, or whether a login is asked for. */
export function judgeRegistryEnvironment(service: SwarmService | undefined): Finding[] {
  const names = (service?.Spec.TaskTemplate.ContainerSpec.Env ?? [])
    .map((line) => line.replace(/=.*$/s, ""))
    .filter((name) => name.startsWith("REGISTRY_AUTH"));
  if (names.length === 0) return [];
  return [
    error(
      "registry-auth-overridden",
      "the registry's environment overrides who may log in",
      `${service?.Spec.Name} has ${names.join(", ")}`,
      "Remove it with: hephaestus deploy",
    ),
  ];
}

export const secretUseCheck: Check = {
  id: "secrets",
  title: "secrets of the services",
  theme: "Passwords and access",
  needs: "manager",
  // During a rotation there are two generations.
  onlyAtRest: true,
  run: async ({ config, bareServices, secretReports }) =>
    judgeSecretUse(config.stack, secretsOf(config), await bareServices(), await secretReports()),
};

export const handOverCheck: Check = {
  id: "hand-over",
  title: "passwords that no one has seen",
  theme: "Passwords and access",
  needs: "manager",
  onlyAtRest: true,
  run: async ({ htpasswd, unseen }) => judgeHandOver(await htpasswd(), await unseen()),
};

export const ageCheck: Check = {
  id: "ages",
  title: "ages of passwords",
  theme: "Passwords and access",
  needs: "manager",
  applies: ({ credentials }) => credentials.maxAge !== undefined,
  run: async ({ config, htpasswd }) => judgeAge(config.credentials.maxAge, await htpasswd(), new Date()),
};

export const endCheck: Check = {
  id: "ends",
  title: "users that end",
  theme: "Passwords and access",
  needs: "manager",
  run: async ({ htpasswd }) => judgeEnds(await htpasswd(), new Date()),
};

export const ruleNameCheck: Check = {
  id: "rule-names",
  title: "users that rules name",
  theme: "Passwords and access",
  needs: "manager",
  applies: ({ access, groups }) => access.length > 0 || Object.keys(groups).length > 0,
  run: async ({ config, htpasswd }) => {
    const facts = await htpasswd();
    return judgeUserNames(config, [...(facts?.changed.keys() ?? [])]).map((finding) => ({
      ...finding,
      evidence: `labels of ${facts?.name}`,
    }));
  },
};

export const authenticationCheck: Check = {
  id: "authentication",
  title: "authentication of the registry",
  theme: "Passwords and access",
  needs: "manager",
  run: async ({ service }) => judgeRegistryEnvironment(await service("registry")),
};
