/** The operator's secrets stay in this process: no child inherits them. */
const OPERATOR_SECRETS = [
  "REGISTRY_HTPASSWD",
  "REGISTRY_RAW_PASSWORD",
  "REGISTRY_S3_SECRET_ACCESS_KEY",
  "REGISTRY_S3_READER_SECRET_ACCESS_KEY",
  "REGISTRY_MIRROR_LOGINS",
  "REGISTRY_NOTIFICATION_HEADERS",
  "HEPHAESTUS_ALERT_URL",
] as const;

/** This process's environment without the operator's secrets. */
export function childEnvironment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  const environment = { ...process.env, ...extra } as Record<string, string>;
  for (const name of OPERATOR_SECRETS) delete environment[name];
  return environment;
}
