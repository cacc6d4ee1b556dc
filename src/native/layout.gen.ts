// Printed by zig/abi.zig from zig/plan/. Do not edit: scripts/abi.ts writes it anew.

export const layoutHash = 0x63ffad20579401a1n;
