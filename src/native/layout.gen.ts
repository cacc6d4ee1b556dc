// Printed by zig/abi.zig from zig/plan/. Do not edit: `zig build abi` writes it anew.

export const layoutHash = 0xccdd3b3815e22a33n;
