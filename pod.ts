#!/usr/bin/env -S bun --no-env-file --config=/dev/null --tsconfig-override=/dev/null
// The command `peapod`. Only the way in: everything it does is in src/cli/.

import { main } from "./src/cli/main.ts";

process.exit(await main(process.argv.slice(2)));
