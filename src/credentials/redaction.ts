/** Words in the name of a variable or a label whose value is a secret. */
const SECRET_WORDS =
  /PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|ACCESS_?KEY|ACCOUNT_?KEY|API_?KEY|KEY_?FILE|PRIVATE_?KEY|HTPASSWD|BASICAUTH/i;

/** Whether a value of this name must not be shown. */
export const namesSecret = (name: string): boolean => SECRET_WORDS.test(name);

/**
 * A login in an address, or a credential behind its usual name: in a list of endpoints, a header, a mail
 * hook.
 */
const SECRET_VALUE =
  /:\/\/[^/\s@]*:[^/\s@]*@|(?:authorization|password|passwd|secret|token|api_?key)["']?\s*[:=]/i;

/** Whether a value holds what must not be shown, whatever its name is. */
export const valueHoldsSecret = (value: string): boolean => SECRET_VALUE.test(value);

/** What is shown in its place. */
export const NOT_SHOWN = "(not shown)";

/**
 * The arguments of a docker command as they may be shown. Secrets go to standard input and stand in none; the
 * values of environment variables that are named like one are hidden all the same.
 */
export function shownArguments(args: readonly string[]): string[] {
  return args.map((argument, index) => {
    const isVariable = /^(?:-e|--env|--env-add)$/.test(args[index - 1] ?? "");
    const [, flag = "", name = ""] = /^(--env(?:-add)?=)?([^=]+)=/s.exec(argument) ?? [];
    return (isVariable || flag !== "") && namesSecret(name) ? `${flag}${name}=${NOT_SHOWN}` : argument;
  });
}
