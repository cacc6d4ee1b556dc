// One socket to nf_tables for all pods of a process. When such a socket is closed the kernel waits
// for what was removed a moment ago to be out of everybody's sight (nf_tables_api.c,
// nft_rcv_nl_event): milliseconds, that no pod is to pay.

import { NetlinkError, NetlinkSocket } from "../native/netlink.ts";
import type { NetlinkBatch } from "../spec/network.ts";
import type { HostNetwork } from "./host-network.ts";
import type { Element } from "./rules-batch.ts";
import { composeSetQuestion, composeTableQuestion, readElements } from "./rules-batch.ts";

export class RulesSocket implements Disposable {
  #opened: NetlinkSocket | undefined;

  get #socket(): NetlinkSocket {
    return (this.#opened ??= new NetlinkSocket("netfilter"));
  }

  send(batch: NetlinkBatch): void {
    this.#socket.send(batch);
  }

  /** The kernel's reason, such as `ENOENT`, where it refuses. */
  trySend(batch: NetlinkBatch): string | undefined {
    try {
      this.send(batch);
      return undefined;
    } catch (error) {
      if (error instanceof NetlinkError) return error.errno;
      throw error;
    }
  }

  /** All messages of the answer. */
  ask({ messages }: NetlinkBatch): { readonly type: number; readonly body: Uint8Array }[] {
    return [...this.#socket.dump(messages)];
  }

  /** None where there is no such table. */
  elements(table: string, set: string): Element[] {
    try {
      const answers = [...this.#socket.dump(composeSetQuestion(table, set).messages)];
      return answers.flatMap(({ body }) => readElements(body));
    } catch (error) {
      if (error instanceof NetlinkError) return [];
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#opened?.[Symbol.dispose]();
    this.#opened = undefined;
  }
}

export function hasTable({ rules, table }: HostNetwork): boolean {
  return rules.trySend(composeTableQuestion(table)) === undefined;
}
