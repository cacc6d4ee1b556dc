// Printed by zig/abi.zig from zig/plan/. Do not edit: scripts/abi.ts writes it anew.

export const layoutHash = 0x6e551326ae3d405an;
