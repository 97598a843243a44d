// Carries out orders with the AWS SDK for JavaScript: a line of JSON on the
// input is an order, a line of JSON on the output is its outcome. See
// driver_test.go for their members.
import * as ivs from "@aws-sdk/client-ivs-realtime";
import { createInterface } from "node:readline";

const clients = new Map();

function client(order) {
  const name = [order.endpoint, order.id, order.secret, order.region, order.attempts].join(" ");
  if (!clients.has(name)) {
    clients.set(name, new ivs.IVSRealTimeClient({
      endpoint: order.endpoint,
      region: order.region,
      credentials: { accessKeyId: order.id, secretAccessKey: order.secret },
      ...(order.attempts ? { maxAttempts: order.attempts } : {}),
    }));
  }
  return clients.get(name);
}

// plain gives an output without what the SDK adds; times are marked as such.
function plain(value) {
  if (value instanceof Date) return "time:" + value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value)
    .filter(([name, v]) => name !== "$metadata" && v !== undefined)
    .map(([name, v]) => [name, plain(v)]));
}

async function walk(order) {
  const pages = [];
  const paginate = ivs["paginate" + order.operation];
  for await (const page of paginate({ client: client(order), pageSize: order.pageSize }, order.input)) pages.push(plain(page));
  return { pages };
}

async function carryOut(order) {
  if (order.paginate) return walk(order);
  const output = await client(order).send(new ivs[order.operation + "Command"](order.input));
  return { output: plain(output), requestId: output.$metadata.requestId };
}

function trouble(e) {
  const { httpStatusCode: status, requestId } = e.$metadata ?? {};
  const known = e instanceof ivs.IVSRealTimeServiceException && typeof ivs[e.name] === "function" && e instanceof ivs[e.name];
  return {
    requestId: requestId ?? "",
    error: { code: e.name, message: e.message, status: status ?? 0, class: known ? e.name : "", client: status === undefined },
  };
}

for await (const line of createInterface({ input: process.stdin })) {
  const outcome = await carryOut(JSON.parse(line)).catch(trouble);
  process.stdout.write(JSON.stringify(outcome) + "\n");
}
