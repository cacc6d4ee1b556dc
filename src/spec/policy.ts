// The Pod Security Standards, as names of what a host's owner lets pods ask for.

export const policyLevels = ["privileged", "baseline", "restricted"] as const;
export type PolicyLevel = (typeof policyLevels)[number];
