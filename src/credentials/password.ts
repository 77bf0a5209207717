import { randomBytes, randomInt } from "node:crypto";
import { Secret } from "./secret.js";

/** Letters and digits that nobody mistakes for each other: no 0 O o, 1 I l. 56 characters, 5.8 bits each. */
const ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz";

/** 24 characters of the alphabet: 139 bits. */
export const PASSWORD_LENGTH = 24;

/**
 * The bcrypt cost of generated passwords and machine accounts: the lowest one. bcrypt stretches what people
 * choose; it adds nothing to 93 random bits and more (16 characters).
 */
export const GENERATED_BCRYPT_COST = 4;

/** A password for a person, from the operating system's cryptographic random source. */
export function generatePassword(length = PASSWORD_LENGTH): Secret {
  return new Secret(Array.from({ length }, () => ALPHABET[randomInt(ALPHABET.length)]).join(""));
}

/**
 * 256 random bits as 64 hexadecimal digits: a password for a machine account, or the registry's http.secret.
 */
export function generateMachineSecret(): Secret {
  return new Secret(randomBytes(32).toString("hex"));
}
