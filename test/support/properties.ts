/**
 * fast-check with one seed for the whole run: a failure is seen again by running the test again, and fast-check prints the seed
 * and the path to the values. Another `HEPHAESTUS_SEED` tries other values.
 */
import fc from "fast-check";

fc.configureGlobal({
  seed: Number(process.env.HEPHAESTUS_SEED ?? 20_261_130),
  // The runner of mutations wants to know that a property fails, not the smallest value for which it does.
  endOnFailure: process.env.HEPHAESTUS_SMALLEST === "no",
});

export default fc;
