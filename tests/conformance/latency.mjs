// A normal client, while somebody else holds a thousand connections: node latency.mjs SECONDS LIMIT_MS
// Every request is answered, and half of them within the limit; the slowest depend on what else the machine does.
import { connect } from "node:net";
import { url } from "./support.mjs";

const [seconds, limit] = process.argv.slice(2).map(Number);
const body = JSON.stringify({ query: "{ __typename }" });
const end = performance.now() + seconds * 1_000;
const taken = [];
let failed = 0;
while (performance.now() < end) {
  const began = performance.now();
  // Each on a connection of its own: that is what a full server would refuse.
  const answered = await request().catch(() => false);
  if (answered) taken.push(performance.now() - began);
  else failed += 1;
  await new Promise((resolve) => setTimeout(resolve, 20));
}
taken.sort((one, other) => one - other);
const [p50, p99] = [0.5, 0.99].map((part) => taken[Math.ceil(taken.length * part) - 1] ?? Infinity);
console.log(`${taken.length} answered, ${failed} failed, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`);
process.exit(failed === 0 && p50 <= limit ? 0 : 1);

function request() {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    let text = "";
    socket.setTimeout(20_000, () => reject(new Error("late")));
    socket.on("error", reject);
    socket.on("data", (data) => (text += data));
    socket.on("close", () => resolve(text.startsWith("HTTP/1.1 200") && text.includes('{"data":{"__typename":"Query"}')));
    socket.write(
      `POST /graphql HTTP/1.1\r\nHost: ${hostname}\r\nContent-Type: application/json\r\nConnection: close\r\n` +
        `Content-Length: ${body.length}\r\n\r\n${body}`,
    );
  });
}
