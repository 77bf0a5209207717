/** Words in the name of a variable or a label whose value is a secret. */
const SECRET_WORDS =
  /PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|ACCESS_?KEY|ACCOUNT_?KEY|API_?KEY|KEY_?FILE|PRIVATE_?KEY|HTPASSWD|BASICAUTH/i;

/** Whether a value of this name must not be shown. */
export const namesSecret = (name: string): boolean => SECRET_WORDS.test(name);

/** What is shown in its place. */
export const NOT_SHOWN = "(not shown)";
