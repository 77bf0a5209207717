/**
 * Numbers that several rooms share: from where on something is reported by doctor and by the alerts of
 * Prometheus, and time limits.
 */

/** Free share of the storage's file system. A push that fills it fails, and so do the next ones. */
export const LEAST_FREE = { errorShare: 0.05, warningShare: 0.1 } as const;

/**
 * Days before its end from which a certificate should have been renewed; Traefik's ACME does it 30 days
 * before.
 */
export const RENEWAL_DAYS = 14;

/** Seconds for a rollout, where `--timeout` does not say another number. */
export const ROLLOUT_SECONDS = 300;

/** The same for a gc and for copies of images. */
export const JOB_SECONDS = 3600;
