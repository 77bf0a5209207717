/** A slip that somebody could make in one place of the product, and that a unit test has to notice. */
export interface Mutation {
  /** The text that is replaced; it occurs once in the file. */
  what: string;
  by: string;
  /** The rule of the product that the slip breaks. */
  rule: string;
  /** Why no test can notice it: what the program does is the same. */
  survives?: string;
}

/** Mutations of one file, and the unit tests that hold it. */
export interface Subject {
  /** Path from the root of the project. */
  file: string;
  /** Names of files in test/unit. */
  tests: readonly string[];
  mutations: readonly Mutation[];
}

/** How often the text of a mutation occurs in its file. */
export const occurrences = (text: string, { what }: Pick<Mutation, "what">): number =>
  text.split(what).length - 1;
