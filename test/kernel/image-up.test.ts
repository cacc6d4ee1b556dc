// Pods of images: pulled from a real registry, stacked, and run as the image says.

import { expect } from "bun:test";
import { answersOf, hostMissing, openTestHost } from "../support/host.ts";
import { ImageFolder } from "../support/images.ts";
import { testOrSkip } from "../support/must-run.ts";
import { imageToolsMissing, TestRegistry } from "../support/registry.ts";

const missing = hostMissing ?? imageToolsMissing;
const imageTest = testOrSkip(missing === undefined, missing ?? "");
const images = { hostsDirectories: [] };

/** Connections to a registry stay open for a while: they are the runtime's, not peapod's. */
async function openImageHost() {
  const host = await openTestHost({ images });
  host.opensItself = false;
  return host;
}

const podOfImage = (name: string, image: string, more: object = {}) => ({
  metadata: { name },
  spec: { containers: [{ name: "app", image, ...more }] },
});

imageTest("a pod runs what its image says, as the user it names", async () => {
  await using registry = await TestRegistry.start();
  using folder = new ImageFolder();
  const passwd = "root:x:0:0::/root:/bin/sh\nweb:x:1002:1003::/srv/home:/bin/sh\n";
  const group = "root:x:0:\nweb:x:1003:\nmedia:x:1500:web,other\n";
  const archives = [
    folder.archive({ "etc/passwd": passwd, "etc/group": group, "srv/low": "low" }, true),
    folder.archive({ "srv/high": "high" }),
  ];
  const name = folder.push(registry, "one", archives, [
    ...["--config.entrypoint", "/probe", "--config.cmd", "ids"],
    ...["--config.env", "COLOUR=green", "--config.user", "web"],
  ]);
  await using host = await openImageHost();
  await using pod = await host.up(podOfImage("web", name));
  const answers = await answersOf(pod);
  expect(answers).toMatchObject({
    app: { ids: { uid: [1002, 1002, 1002], gid: [1003, 1003, 1003], groups: [1003, 1500] } },
  });
  await pod.down();
});
