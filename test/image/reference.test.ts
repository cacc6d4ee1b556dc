// Names of images, as Docker and containerd read them.

import { describe, expect, test } from "bun:test";
import { PodError } from "../../src/errors/pod-error.ts";
import {
  isShortName,
  parseReference,
  printFamiliar,
  printReference,
} from "../../src/image/reference.ts";

const digest = `sha256:${"a".repeat(64)}`;

/** What is written, the whole name, and the shortest that means the same. */
const names: readonly (readonly [written: string, whole: string, familiar: string])[] = [
  ["nginx", "docker.io/library/nginx:latest", "nginx:latest"],
  ["nginx:1.27", "docker.io/library/nginx:1.27", "nginx:1.27"],
  ["team/app", "docker.io/team/app:latest", "team/app:latest"],
  ["docker.io/nginx", "docker.io/library/nginx:latest", "nginx:latest"],
  ["index.docker.io/nginx:1", "docker.io/library/nginx:1", "nginx:1"],
  ["localhost/app", "localhost/app:latest", "localhost/app:latest"],
  ["127.0.0.1:5000/app:1", "127.0.0.1:5000/app:1", "127.0.0.1:5000/app:1"],
  ["[::1]:5000/app", "[::1]:5000/app:latest", "[::1]:5000/app:latest"],
  ["ghcr.io/a/b/c/d:v1", "ghcr.io/a/b/c/d:v1", "ghcr.io/a/b/c/d:v1"],
  ["REGISTRY/app", "REGISTRY/app:latest", "REGISTRY/app:latest"],
  ["a.b/c_d/e__f/g--h:T_a-g.1", "a.b/c_d/e__f/g--h:T_a-g.1", "a.b/c_d/e__f/g--h:T_a-g.1"],
  [`nginx@${digest}`, `docker.io/library/nginx@${digest}`, `nginx@${digest}`],
  [`nginx:1@${digest}`, `docker.io/library/nginx:1@${digest}`, `nginx:1@${digest}`],
];

describe("names", () => {
  test.each([...names])("%s", (written, whole, familiar) => {
    const reference = parseReference(written);
    expect(printReference(reference)).toBe(whole);
    expect(printFamiliar(reference)).toBe(familiar);
    // Both mean the same again.
    expect(parseReference(whole)).toEqual(reference);
    expect(parseReference(familiar)).toEqual(reference);
  });
});

const wrong: Readonly<Record<string, string>> = {
  "": 'the part "" is not letters and digits, joined by . _ -',
  Nginx: 'the part "Nginx" has upper-case letters',
  "a//b": 'the part "" is not letters and digits, joined by . _ -',
  "-a": 'the part "-a" is not letters and digits, joined by . _ -',
  "a:": 'the tag "" is not one',
  "a:-b": 'the tag "-b" is not one',
  [`a:${"t".repeat(129)}`]: `the tag "${"t".repeat(129)}" is not one`,
  "a@sha256:abc": "the digest is not sha256: and 64 lower-case hexadecimal digits",
  "a@md5:abc": "the digest is not sha256: and 64 lower-case hexadecimal digits",
  "a b": 'the part "a b" is not letters and digits, joined by . _ -',
  "a..b/c": 'the registry "a..b" is not a host',
  "host:99999999/a": 'the registry "host:99999999" is not a host',
  "../../etc": 'the registry ".." is not a host',
  ["f".repeat(64)]: "64 hexadecimal digits are an id, no name",
  [`${"a/".repeat(140)}b`]: "the name is longer than 255 characters",
};

describe("what is not a name", () => {
  test.each(Object.entries<string>(wrong))("%s", (written, why) => {
    let failure: unknown;
    try {
      parseReference(written);
    } catch (error) {
      failure = error;
    }
    expect(failure).toBeInstanceOf(PodError);
    const { code, message } = failure as PodError;
    expect({ code, message }).toEqual({
      code: "image.invalid-name",
      message: `${JSON.stringify(written)} is not the name of an image: ${why}`,
    });
  });
});

test("a name without a registry belongs to the one that is asked", () => {
  expect(printReference(parseReference("app:1", "quay.io"))).toBe("quay.io/app:1");
  expect(["app", "team/app", "quay.io/app", "localhost/app"].map(isShortName)).toEqual([
    ...[true, true, false, false],
  ]);
});
