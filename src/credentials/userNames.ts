/**
 * How the names of the stack's own accounts begin. They are reserved in any spelling: not everything tells
 * cases apart.
 */
const RESERVED = "[hH][eE][pP][hH][aA][eE][sS][tT][uU][sS][.-]";
const RESERVED_NAME = new RegExp(`^${RESERVED}`);

/**
 * The name of a person or a machine that pushes. It can stand in an htpasswd, in HTTP Basic and in a label.
 */
export const USER_NAME = new RegExp(`^(?!${RESERVED})[a-zA-Z0-9][a-zA-Z0-9._@-]*$`);

/** Whether a name is kept for accounts of the stack, so that nobody else may have it. */
export const isReserved = (user: string): boolean => RESERVED_NAME.test(user);

/** Whether an account is one that a service of the stack has. */
export const isMachineAccount = (user: string): boolean => user.startsWith("hephaestus-");

/** The name in the Base64 of NAME:PASSWORD, as it was typed. */
export const typedName = (credential: string): string =>
  Buffer.from(credential, "base64").toString().split(":", 1)[0] ?? "";
