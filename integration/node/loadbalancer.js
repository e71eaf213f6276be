// LoadBalancer.js itself, without its command line and its workers: one balancer that says what it notices.
// Usage: node loadbalancer.js PORT SCRIPT TARGETPORT...
'use strict';

const LoadBalancer = require('loadbalancer/loadbalancer.js');

const [port, script, ...targetPorts] = process.argv.slice(2);
const balancer = new LoadBalancer({
  sourcePort: Number(port),
  targets: targetPorts.map((targetPort) => ({ host: '127.0.0.1', port: Number(targetPort) })),
  stickiness: true,
  balancerControllerPath: script,
});
balancer.on('notice', (reason) => console.log(JSON.stringify({ notice: String((reason && reason.message) || reason) })));
balancer.on('error', (error) => console.log(JSON.stringify({ error: String((error && error.message) || error) })));
balancer._server.on('listening', () => console.log('listening'));
