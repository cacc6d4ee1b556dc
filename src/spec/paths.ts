// Paths of two worlds, which never mix. What a path is resolved to belongs to resolve/; this file
// only tells them apart.

/** A path on the host. Means nothing once the child has entered its root. */
export type HostPath = string & { readonly __host: unique symbol };

/** A path as the workload sees it: absolute and clean (no `.`, `..`, doubled or trailing slash). */
export type GuestPath = string & { readonly __guest: unique symbol };
