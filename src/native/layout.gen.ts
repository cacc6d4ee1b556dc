// Printed by zig/abi.zig from zig/plan/. Do not edit: scripts/abi.ts writes it anew.

export const layoutHash = 0xe71f2e498e91aaa1n;
