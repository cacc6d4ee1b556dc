// Printed by zig/abi.zig from zig/plan/. Do not edit: `zig build abi` writes it anew.

export const layoutHash = 0xfee6e930bd34da7n;
