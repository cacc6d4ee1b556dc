//! The operation that speaks to the kernel's networking.

const types = @import("types.zig");

/// Requests to the kernel's networking, sent in one system call. Interfaces, addresses and routes
/// go with the pod's network namespace, so nothing of this has an undo; packet rules are taken back
/// by the plan that wrote them.
pub const Netlink = extern struct {
    pub const stages = .{.prepare};
    /// What each request does, for people. They are numbered from 1 in their `nlmsg_seq`.
    labels: types.TextList,
    /// `struct nlmsghdr` and what belongs to it, again and again (man 7 netlink).
    messages: types.Bytes,
    /// NETLINK_ROUTE (0) or NETLINK_NETFILTER (12).
    family: u32,
    /// 1 for the pod's network namespace, 0 for the host's.
    in_pod: u32,
    /// Where in `messages` the keeper puts its pid; 0 for nowhere.
    pid_at: u32,
    /// 1 where an error is no failure: what was to go has gone already.
    may_fail: u32,
};
