// Printed by zig/abi.zig from zig/plan/. Do not edit: `zig build abi` writes it anew.

export const layoutHash = 0x78eb5b07c55112een;
