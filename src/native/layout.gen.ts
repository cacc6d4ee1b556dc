// Printed by zig/abi.zig from zig/plan/. Do not edit: scripts/abi.ts writes it anew.

export const layoutHash = 0xce442685f91ed9fan;
