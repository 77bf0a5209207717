/** Each worker has many contexts of the program, and each of them keeps its own: so they are few. */
const MOST = 32;
const LONGEST_KEY = 300;

/**
 * Keeps what a function gave lately.
 *
 * @param work what it gives must depend on its arguments and the settings alone. No argument but the last one
 *   has a space
 */
export function keeping<Result extends object>(
  work: (...texts: string[]) => Result,
): (...texts: string[]) => Result {
  const kept = new Map<string, Result>();
  return (...texts) => {
    const key = texts.join(" ");
    const known = kept.get(key);
    if (known !== undefined) return known;
    const result = work(...texts);
    if (key.length > LONGEST_KEY) return result;
    if (kept.size >= MOST) kept.clear();
    kept.set(key, result);
    return result;
  };
}
