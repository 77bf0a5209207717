import { inspect } from "node:util";

const REDACTED = "[redacted]";

/**
 * A value that must not be seen. It prints, inspects and serialises as "[redacted]"; `reveal` is for the
 * function that writes it to a standard input, and for showing a new password once.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}
