import { expect, test } from "bun:test";
import {
  capabilities,
  capabilityMask,
  capabilityNames,
  defaultCapabilities,
  isCapability,
} from "../../src/spec/capabilities.ts";

test("all capabilities make the mask that an unrestricted process shows in /proc/PID/status", () => {
  expect(capabilityMask(capabilities).toString(16)).toBe("1ffffffffff");
});

test("a capability's bit is its number in linux/capability.h", () => {
  expect(capabilityMask(["CHOWN"])).toBe(1n);
  expect(capabilityMask(["NET_RAW"])).toBe(1n << 13n);
  expect(capabilityMask(["SYS_ADMIN"])).toBe(1n << 21n);
  expect(capabilityMask(["SETFCAP"])).toBe(1n << 31n);
  expect(capabilityMask(["CHECKPOINT_RESTORE"])).toBe(1n << 40n);
});

test("the default set is CRI-O's nine", () => {
  expect(capabilityMask(defaultCapabilities).toString(16)).toBe("5fb");
});

test("a mask reads back as its names, in the order of their bits", () => {
  expect(capabilityNames(capabilityMask(["SYS_TIME", "KILL", "KILL"]))).toEqual([
    "KILL",
    "SYS_TIME",
  ]);
  expect(capabilityNames(0n)).toEqual([]);
  expect(capabilityNames((1n << 41n) - 1n)).toEqual([...capabilities]);
  expect(() => capabilityNames(1n << 41n)).toThrow("bits that no capability has");
});

test("a name that the kernel does not have is refused, whatever its prefix or case", () => {
  for (const name of ["CAP_SYS_ADMIN", "sys_admin", "ALL", ""]) {
    expect(() => capabilityMask(["KILL", name])).toThrow(
      `there is no capability ${JSON.stringify(name)}`,
    );
    expect(isCapability(name)).toBe(false);
  }
});
